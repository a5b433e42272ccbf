import { decodeJob, type EmbedJob } from '../job.ts';
import { decryptJob, encryptJob } from './encrypted-texts.ts';
import { assertSigned, withoutSignature, withSignature } from './signed-value.ts';
import type { SigningKeys } from './signing-keys.ts';

type JobKind = 'job' | 'retry-job';

/** A job as it stands in Redis: encrypted where that is asked for, and signed where there is a key. */
export function sealJob(job: EmbedJob, keys: SigningKeys | null, kind: JobKind = 'job'): object {
  return withSignature(kind, encryptJob(withoutSignature(job), keys), keys);
}

/**
 * The job of {@link sealJob}.
 * @throws EmbedlineError SIGNATURE_REFUSED, VERSION_UNSUPPORTED, JOB_INVALID
 */
export function openJob(data: unknown, keys: SigningKeys | null, kind: JobKind = 'job'): EmbedJob {
  assertSigned(kind, { what: 'A job in the queue', value: data, keys });
  const bare = typeof data === 'object' && data !== null ? withoutSignature(data) : data;
  return decodeJob(decryptJob(bare, keys));
}
