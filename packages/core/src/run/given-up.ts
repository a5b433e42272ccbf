import { z } from 'zod';
import { cutText } from '../chunking/cut-text.ts';
import type { ChunkRecord, DeadLetter } from '../document.ts';
import { encodeJob, jobOfChunk, MAX_JOB_BYTES, type EmbedJob } from '../job.ts';
import { openJob, sealJob } from '../signing/sealed-job.ts';
import type { SigningKeys } from '../signing/signing-keys.ts';
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

const letterSchema = z.object({
  key: z.string().min(1).max(MAX_LETTER_CHARACTERS),
  stage: z.enum(['read', 'chunk', 'embed', 'upsert']),
  code: z.string().max(100),
  reason: z.string().max(MAX_LETTER_CHARACTERS),
  documentId: z.string().nullable(),
  chunkIndex: storedChunkIndex.nullable(),
  origin: z.object({ file: z.string(), line: storedCount.exactOptional() }).nullable(),
  excerpt: z.string().nullable(),
  encryptedExcerpt: z.string().exactOptional(),
  attempts: storedCount,
});

/** The run of some letters, and what its texts are encrypted with. */
export interface LettersOf {
  readonly runId: string;
  readonly keys: SigningKeys | null;
}

/** A dead letter as it stands in Redis; null for what embedline cannot have written. */
export function decodeLetter(text: string, of: LettersOf): DeadLetter | null {
  const stored = parseStored(text, letterSchema, MAX_LETTER_CHARACTERS);
  if (stored === null) return null;
  const { encryptedExcerpt, ...letter } = stored;
  if (encryptedExcerpt === undefined) return letter;
  return { ...letter, excerpt: of.keys?.decrypt(encryptedExcerpt, contextOf(letter.key, of)) ?? null };
}

/** The job that would try a chunk again, as it stands in Redis; null for what is not one, or must not be tried here. */
export function decodeRetryJob(text: string, keys: SigningKeys | null): EmbedJob | null {
  try {
    return text.length > 2 * MAX_JOB_BYTES ? null : openJob(JSON.parse(text), keys, 'retry-job');
  } catch {
    return null;
  }
}

/** Without those that embedline cannot have written. */
export function decodeLetters(texts: readonly string[], of: LettersOf): DeadLetter[] {
  return texts.map((text) => decodeLetter(text, of)).filter((letter) => letter !== null);
}

/** By the keys of their letters, without those that must not be tried here. */
export function decodeRetryJobs(
  jobs: Readonly<Record<string, string>>,
  keys: SigningKeys | null,
): Map<string, EmbedJob> {
  const decoded = Object.entries(jobs).map(([key, text]) => [key, decodeRetryJob(text, keys)] as const);
  return new Map(decoded.filter((entry): entry is [string, EmbedJob] => entry[1] !== null));
}

/** Key, letter and job ('' when there is none) of each, as the scripts take them. */
export function encodeLetters(letters: readonly (DeadLetter | GivenUpChunk)[], of: LettersOf): string[] {
  return letters.flatMap((given) => {
    const { job, ...letter } = { job: null, ...given };
    const retry = job === null ? '' : JSON.stringify(sealJob(job, of.keys, 'retry-job'));
    return [letter.key, JSON.stringify(encryptExcerpt(letter, of)), retry];
  });
}

function encryptExcerpt(letter: DeadLetter, of: LettersOf): object {
  const { keys } = of;
  if (keys === null || !keys.encryptsTexts || letter.excerpt === null) return letter;
  return {
    ...letter,
    excerpt: null,
    encryptedExcerpt: keys.encrypt(letter.excerpt, contextOf(letter.key, of)),
  };
}

function contextOf(key: string, { runId }: LettersOf) {
  return { runId, context: `embedline/letter/${runId}/${key}` };
}
