import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { z } from 'zod';

/** How long a server asked to be left alone. */
export interface RetryAfter {
  remainingMs(): number;
  close(): void;
}

const CHANNEL = 'undici:request:headers';
const MAX_DELAY_MS = 10 * 60_000;

const messageSchema = z.object({
  request: z.object({ origin: z.union([z.string(), z.instanceof(URL)]) }),
  response: z.object({ statusCode: z.number(), headers: z.array(z.instanceof(Uint8Array)) }),
});

/**
 * Reads the Retry-After header of a server's 429 and 503 answers where undici publishes them: the client keeps only the
 * header's first digit (hazards Q5).
 */
export function watchRetryAfter(origin: string, now: () => number = Date.now): RetryAfter {
  let untilMs = 0;
  const listen = (message: unknown) => {
    const parsed = messageSchema.safeParse(message);
    if (!parsed.success || new URL(parsed.data.request.origin).origin !== origin) return;
    const { statusCode, headers } = parsed.data.response;
    if (statusCode !== 429 && statusCode !== 503) return;
    const value = headerValue(headers, 'retry-after');
    if (value !== null) untilMs = now() + Math.min(delayMs(value, now()), MAX_DELAY_MS);
  };
  subscribe(CHANNEL, listen);
  return {
    remainingMs: () => Math.max(0, untilMs - now()),
    close: () => void unsubscribe(CHANNEL, listen),
  };
}

/** Names and values stand by turns. */
function headerValue(headers: readonly Uint8Array[], name: string): string | null {
  for (let index = 0; index + 1 < headers.length; index += 2) {
    if (
      Buffer.from(headers[index] ?? [])
        .toString('latin1')
        .toLowerCase() === name
    ) {
      return Buffer.from(headers[index + 1] ?? []).toString('latin1');
    }
  }
  return null;
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
function delayMs(value: string, nowMs: number): number {
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const dateMs = Date.parse(value);
  return Number.isNaN(dateMs) ? 0 : Math.max(0, dateMs - nowMs);
}
