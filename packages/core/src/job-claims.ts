import { embeddedText } from './chunking/embedded-text.ts';
import type { ChunkRecord, DocumentMark } from './document.ts';
import { EmbedlineError } from './errors.ts';
import { chunksDigest, format1TextHash, payloadHash, pointId, textHash } from './ids.ts';
import { chunkRecordsOf, type EmbedJob } from './job.ts';
import type { RunSpec } from './run/run.ts';

/** What of a run decides the ids and hashes of its chunks. */
export type ClaimedRun = Pick<RunSpec, 'runId' | 'pipeline' | 'model' | 'embedTitle'>;

/**
 * The chunks of a job, after everything that the job says of them was made again: point ids, text hashes, payload hashes,
 * and of each document's mark what this job is enough to tell. A point whose hash is not that of its text would be taken
 * for unchanged, and its vector for that of another text, for ever.
 * @throws EmbedlineError JOB_INVALID that names the claim and the chunk by its number, never its text
 */
export function provenChunksOf(job: EmbedJob, run: ClaimedRun): ChunkRecord[] {
  if (job.runId !== run.runId) throw invalid(run, 'it is one of another run');
  const chunks = chunkRecordsOf(job, run.pipeline);
  for (const [position, chunk] of chunks.entries()) {
    const problem = problemOf(chunk, job, run);
    if (problem !== null) throw invalid(run, `${problem} (chunk ${position + 1} of ${chunks.length})`);
  }
  for (const own of Map.groupBy(chunks, ({ documentId }) => documentId).values()) {
    const problem = problemOfDocument(own);
    if (problem !== null) throw invalid(run, problem);
  }
  return chunks;
}

function problemOf(chunk: ChunkRecord, job: EmbedJob, run: ClaimedRun): string | null {
  const { pipeline, documentId, chunkIndex, metadata } = chunk;
  if (chunk.id !== pointId(pipeline, documentId, chunkIndex))
    return 'an id is not the one of its document and its place';
  if (!isTextHash(chunk, job, run)) return 'a hash is not the one of its text';
  if (chunk.payloadHash !== payloadHash(chunk, metadata))
    return 'a hash is not the one of its title, metadata and offsets';
  if (chunk.start > chunk.end) return 'a chunk ends before it starts';
  return chunkIndex > 0 && chunk.documentMark !== null ? 'a mark is not with the first chunk' : null;
}

function isTextHash(chunk: ChunkRecord, job: EmbedJob, { model, embedTitle }: ClaimedRun): boolean {
  const { passagePrefix } = model;
  if (chunk.textHash === textHash(passagePrefix, embeddedText(chunk, embedTitle === true))) return true;
  return job.version === 1 && chunk.textHash === format1TextHash(passagePrefix, chunk.text);
}

/** A job may hold some chunks of a document only: its mark is made again where all are here. */
function problemOfDocument(chunks: readonly ChunkRecord[]): string | null {
  const inOrder = chunks.toSorted((a, b) => a.chunkIndex - b.chunkIndex);
  if (inOrder.some((chunk, index) => chunk.chunkIndex === inOrder[index - 1]?.chunkIndex))
    return 'it has a chunk twice';
  const mark = inOrder[0]?.documentMark ?? null;
  return mark === null || agrees(mark, inOrder)
    ? null
    : 'the mark of a document is not the one of its chunks';
}

function agrees(mark: DocumentMark, inOrder: readonly ChunkRecord[]): boolean {
  const last = inOrder.at(-1)?.chunkIndex ?? 0;
  if (mark.chunkCount <= last) return false;
  return inOrder.length < mark.chunkCount || mark.digest === chunksDigest(inOrder);
}

function invalid({ runId }: ClaimedRun, problem: string): EmbedlineError {
  return new EmbedlineError(
    'JOB_INVALID',
    `A job in the queue of run ${runId} does not hold what it says: ${problem}. Nothing of it was stored. ` +
      `Something else has written to this Redis: give embedline its own, or set EMBEDLINE_SIGNING_KEY. Then ingest again.`,
  );
}
