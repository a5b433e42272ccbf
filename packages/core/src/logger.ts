import type { Writable } from 'node:stream';
import pino, { type Logger } from 'pino';
import { guardOutput } from './output.ts';
import { readableLogLine } from './readable-log.ts';
import { redactSecrets } from './redact.ts';

export type { Logger } from 'pino';

/** Field names used in log lines throughout: runId, batchIndex, workerId, attempt, durationMs. */
export interface LoggerOptions {
  readonly level: string;
  /** Which program speaks: `embedline` or `embedline-worker`. */
  readonly name: string;
  /** Defaults to stderr: stdout belongs to results. */
  readonly stream?: Writable & { readonly isTTY?: boolean };
}

/**
 * Lines for people on a terminal, JSON lines elsewhere; secrets are redacted in messages, fields and errors. A stream that
 * takes no more ends nothing.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { stream = process.stderr } = options;
  guardOutput(stream);
  const isTerminal = stream.isTTY === true;
  const write = (line: string) => void stream.write(isTerminal ? readableLogLine(line, true) : line);
  return pino(
    {
      name: options.name,
      level: options.level,
      redact: { paths: ['*.apiKey', '*.password', '*["api-key"]', '*.authorization'], censor: '[redacted]' },
      serializers: { err: serializeError },
      formatters: { log: redactFields },
      hooks: {
        logMethod(args, method) {
          method.apply(
            this,
            args.map((arg) => (typeof arg === 'string' ? redactSecrets(arg) : arg)) as typeof args,
          );
        },
      },
    },
    { write },
  );
}

function redactFields(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' ? redactSecrets(value) : value,
    ]),
  );
}

function serializeError(error: unknown): object {
  const serialized = pino.stdSerializers.errWithCause(error as Error) as unknown as Record<string, unknown>;
  const { message, stack, code, type } = serialized;
  const text = (value: unknown) => (typeof value === 'string' ? redactSecrets(value) : undefined);
  const cause = error instanceof Error && error.cause !== undefined ? serializeError(error.cause) : undefined;
  return { type, code, message: text(message), stack: text(stack), cause };
}
