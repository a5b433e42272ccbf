import type { Writable } from 'node:stream';
import type { Style } from './style.ts';

/** A few lines that are redrawn in place on a terminal; elsewhere, a line every ten seconds when it has changed. */
export interface LiveArea {
  update(text: string): void;
  /** Prints a line that stays, above the area. */
  print(line: string): void;
  /** Leaves the last text standing on a terminal. Idempotent. */
  close(): void;
}

const PLAIN_EVERY_MS = 10_000;

export function createLiveArea(stream: Writable, style: Style): LiveArea {
  return style.interactive ? redrawn(stream) : plain(stream);
}

function redrawn(stream: Writable): LiveArea {
  let shown = '';
  const clear = () => {
    if (shown === '') return '';
    const up = shown.split('\n').length - 1;
    return `\r${up > 0 ? `\u001b[${up}A` : ''}\u001b[J`;
  };
  let closed = false;
  return {
    update: (text) => {
      if (closed || text === shown) return;
      stream.write(clear() + text);
      shown = text;
    },
    print: (line) => {
      stream.write(`${clear()}${line}\n${shown}`);
    },
    close: () => {
      if (!closed && shown !== '') stream.write('\n');
      closed = true;
    },
  };
}

function plain(stream: Writable): LiveArea {
  let printed = '';
  let printedAtMs = Date.now();
  return {
    update: (text) => {
      if (text === printed || Date.now() - printedAtMs < PLAIN_EVERY_MS) return;
      stream.write(`${text}\n`);
      printed = text;
      printedAtMs = Date.now();
    },
    print: (line) => void stream.write(`${line}\n`),
    close: () => undefined,
  };
}
