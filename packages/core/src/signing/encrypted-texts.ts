import { EmbedlineError } from '../errors.ts';
import type { SigningKeys } from './signing-keys.ts';

/** A job whose documents and chunks are encrypted: what names it stays readable, so that it can be found and counted. */
interface EncryptedJob {
  readonly version: number;
  readonly runId: string;
  readonly batchIndex: number;
  readonly encrypted: string;
}

interface PlainJob {
  readonly version: number;
  readonly runId: string;
  readonly batchIndex: number;
}

/** The job as it may stand in Redis. */
export function encryptJob(job: PlainJob, keys: SigningKeys | null): PlainJob | EncryptedJob {
  if (keys === null || !keys.encryptsTexts) return job;
  const { version, runId, batchIndex } = job;
  const encrypted = keys.encrypt(JSON.stringify(job), contextOf(runId, batchIndex));
  return { version, runId, batchIndex, encrypted } satisfies EncryptedJob;
}

/**
 * The job that was given to {@link encryptJob}; what is not encrypted comes back as it is.
 * @throws EmbedlineError SIGNATURE_REFUSED for one that none of the keys has encrypted
 */
export function decryptJob(data: unknown, keys: SigningKeys | null): unknown {
  if (!isEncrypted(data)) return data;
  const text = keys?.decrypt(data.encrypted, contextOf(data.runId, data.batchIndex)) ?? null;
  if (text !== null) return JSON.parse(text) as unknown;
  throw new EmbedlineError(
    'SIGNATURE_REFUSED',
    `A job of run ${data.runId.slice(0, 64)} is encrypted with a key that this program does not have. Give every producer, worker and ` +
      `server the same EMBEDLINE_SIGNING_KEY.`,
  );
}

function contextOf(runId: string, batchIndex: number) {
  return { runId, context: `embedline/job/${runId}/${batchIndex}` };
}

function isEncrypted(data: unknown): data is EncryptedJob {
  if (typeof data !== 'object' || data === null || !('encrypted' in data)) return false;
  const { encrypted, runId, batchIndex } = data as Partial<Record<keyof EncryptedJob, unknown>>;
  return typeof encrypted === 'string' && typeof runId === 'string' && typeof batchIndex === 'number';
}
