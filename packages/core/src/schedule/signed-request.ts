import { z } from 'zod';
import { assertSigned, withSignature } from '../signing/signed-value.ts';
import type { SigningKeys } from '../signing/signing-keys.ts';
import { EmbedlineError } from '../errors.ts';
import { storedTimeMs } from '../stored-numbers.ts';
import type { IngestRequest } from './ingest-request.ts';

/** A request that nobody took for so long is not done any more: an old one could be put into the queue again. */
const VALID_MS = 7 * 24 * 3600 * 1000;
/** Clocks of two machines may differ by this. */
const MOST_AHEAD_MS = 3600 * 1000;

const boundSchema = z.looseObject({ jobId: z.string(), askedAtMs: storedTimeMs });

/** The request as it may stand in the queue: with a key it is signed, together with its own id and its time. */
export function signRequest(request: IngestRequest, jobId: string, keys: SigningKeys | null): object {
  if (keys === null) return request;
  return withSignature('ingest-request', { ...request, jobId, askedAtMs: Date.now() }, keys);
}

/** @throws EmbedlineError SIGNATURE_REFUSED for one that must not be done, or was done under another id */
export function assertRequestSigned(
  value: unknown,
  jobId: string | undefined,
  keys: SigningKeys | null,
): void {
  assertSigned('ingest-request', { what: 'An ingest that was asked for', value, keys });
  if (keys === null) return;
  const { jobId: ownId, askedAtMs } = boundSchema.parse(value);
  const ageMs = Date.now() - askedAtMs;
  if (ownId === jobId && ageMs < VALID_MS && ageMs > -MOST_AHEAD_MS) return;
  throw new EmbedlineError(
    'SIGNATURE_REFUSED',
    'An ingest that was asked for is an old request, or a copy of another one. Ask again.',
  );
}
