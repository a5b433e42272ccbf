import { z } from 'zod';
import { cutText } from '../chunking/cut-text.ts';
import type { ChunkRecord, DeadLetter } from '../document.ts';
import { decodeJob, encodeJob, jobOfChunk, MAX_JOB_BYTES, type EmbedJob } from '../job.ts';
import { storedChunkIndex, storedCount } from '../stored-numbers.ts';
import { parseStored } from '../redis/stored-value.ts';

/** A dead letter of a chunk, with the job that would try it again. */
export interface GivenUpChunk extends DeadLetter {
  readonly job: EmbedJob;
}

export type GivingUp = Pick<DeadLetter, 'stage' | 'code' | 'reason' | 'attempts'> & {
  readonly runId: string;
};

const MAX_REASON_CHARACTERS = 1000;
const MAX_EXCERPT_CHARACTERS = 200;
/** Of a whole letter: an id may be long, since it is whatever the corpus says. */
const MAX_LETTER_CHARACTERS = 256 * 1024;

/**
 * The dead letter of a chunk; the letter itself holds no more than an excerpt of the text.
 * @param from the job that the chunk came in, if it came in one
 */
export function giveUpChunk(
  chunk: ChunkRecord,
  { runId, stage, code, reason, attempts }: GivingUp,
  from?: EmbedJob,
): GivenUpChunk {
  return {
    key: chunk.id,
    stage,
    code,
    reason: cutText(reason, MAX_REASON_CHARACTERS),
    documentId: chunk.documentId,
    chunkIndex: chunk.chunkIndex,
    origin: null,
    excerpt: cutText(chunk.text, MAX_EXCERPT_CHARACTERS).toWellFormed(),
    attempts,
    job: from === undefined ? encodeJob(runId, 0, [chunk]) : jobOfChunk(from, chunk.id),
  };
}

const letterSchema: z.ZodType<DeadLetter> = z.object({
  key: z.string().min(1).max(MAX_LETTER_CHARACTERS),
  stage: z.enum(['read', 'chunk', 'embed', 'upsert']),
  code: z.string().max(100),
  reason: z.string().max(MAX_LETTER_CHARACTERS),
  documentId: z.string().nullable(),
  chunkIndex: storedChunkIndex.nullable(),
  origin: z.object({ file: z.string(), line: storedCount.exactOptional() }).nullable(),
  excerpt: z.string().nullable(),
  attempts: storedCount,
});

/** A dead letter as it stands in Redis; null for what embedline cannot have written. */
export function decodeLetter(text: string): DeadLetter | null {
  return parseStored(text, letterSchema, MAX_LETTER_CHARACTERS);
}

/** The job that would try a chunk again, as it stands in Redis; null for what is not one, or is of a newer program. */
export function decodeRetryJob(text: string): EmbedJob | null {
  try {
    return text.length > MAX_JOB_BYTES ? null : decodeJob(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Key, letter and job ('' when there is none) of each, as the scripts take them. */
export function encodeLetters(letters: readonly (DeadLetter | GivenUpChunk)[]): string[] {
  return letters.flatMap((given) => {
    const { job, ...letter } = { job: null, ...given };
    return [letter.key, JSON.stringify(letter), job === null ? '' : JSON.stringify(job)];
  });
}
