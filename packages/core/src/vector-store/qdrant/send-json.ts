import { z } from 'zod';

export interface JsonRequest {
  readonly method: 'PUT' | 'POST';
  readonly url: string;
  /** JSON. */
  readonly body: Uint8Array;
  readonly apiKey: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

const resultSchema = z.object({ status: z.enum(['completed', 'acknowledged', 'wait_timeout']) });
const answerSchema = z.object({ result: z.union([resultSchema, z.array(resultSchema)]) });

/** What became of a write, or of each write of a batch. */
export type WriteResult = z.output<typeof answerSchema>['result'];

/**
 * A write whose body is JSON already. The client takes objects alone and would serialise them itself, vectors and all, a
 * number at a time. Fails in the ways in which the client does, so that qdrant-errors.ts reads both.
 */
export async function sendJson(request: JsonRequest): Promise<WriteResult> {
  const { method, url, body, apiKey, timeoutMs, signal } = request;
  const timeout = AbortSignal.timeout(timeoutMs);
  const json = 'application/json';
  const key = apiKey === undefined ? {} : { 'api-key': apiKey };
  const response = await fetch(url, {
    method,
    headers: { 'content-type': json, accept: json, ...key },
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
