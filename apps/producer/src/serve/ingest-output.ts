import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { cutText, redactSecrets } from '@embedline/core';
import { safeText } from '../terminal/safe-text.ts';

/** What an ingest said to people, on its stderr. */
export interface IngestOutput {
  /** Its last lines, oldest first. */
  readonly tail: readonly string[];
  /** Resolves when it has said everything. */
  readonly ended: Promise<void>;
}

const TAIL_LINES = 20;
const MAX_LINE_CHARACTERS = 1_000;

/** Passes on what an ingest says as it says it, and keeps its end. */
export function keepOutput(stderr: Readable, say: (line: string) => void): IngestOutput {
  const tail: string[] = [];
  const read = async () => {
    for await (const text of createInterface({ input: stderr })) {
      const line = cutText(safeText(redactSecrets(text)).trim(), MAX_LINE_CHARACTERS);
      if (line === '') continue;
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
      say(line);
    }
  };
  return { tail, ended: read() };
}
