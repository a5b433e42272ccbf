import type { Edit } from './edits.ts';

/** A `data:` URL, with the part of it that is no text for anybody. Shorter ones are left as they are. */
const DATA_URL = /\bdata:[\w.+-]+\/[\w.+-]+(?:;[\w.+-]+(?:=[\w.+-]+)?)*,(?<payload>[\w+/=%-]{64,})/dg;

/** Leaves out what `data:` URLs hold, and keeps that they are there. */
export function dataUrlEdits(text: string, start: number, end: number): Edit[] {
  const stretch = text.slice(start, end);
  if (!stretch.includes('data:')) return [];
  return [...stretch.matchAll(DATA_URL)].flatMap(({ indices }) => {
    const [from, to] = indices?.groups?.['payload'] ?? [0, 0];
    return from === to ? [] : [{ start: start + from, end: start + to, insert: '', parts: false }];
  });
}
