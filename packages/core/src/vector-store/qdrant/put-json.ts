import { z } from 'zod';
import type { Schemas } from '@qdrant/js-client-rest';

export interface PutOptions {
  readonly apiKey: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

const answerSchema = z.object({
  result: z.object({ status: z.enum(['completed', 'acknowledged', 'wait_timeout']) }),
});

/**
 * A write whose body is JSON already. The client takes objects alone, and would serialise them, vectors and all, a number
 * at a time. Fails in the ways in which the client does, so that {@link failureOf} reads both.
 */
export async function putJson(
  url: string,
  body: Uint8Array,
  { apiKey, timeoutMs, signal }: PutOptions,
): Promise<Pick<Schemas['UpdateResult'], 'status'>> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const response = await fetch(url, {
    method: 'PUT',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(apiKey === undefined ? {} : { 'api-key': apiKey }),
    },
    body,
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
  });
  const data = parse(await response.text());
  if (!response.ok) throw Object.assign(new Error(response.statusText), { status: response.status, data });
  const answer = answerSchema.safeParse(data);
  if (!answer.success) throw new Error('Result came uninitialized');
  return answer.data.result;
}

/** A page of a proxy is no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
