import type { Random } from './seeded-random.ts';
export function pick<T>(random: Random, values: readonly T[]): T {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined) throw new RangeError('nothing to pick from');
  return value;
}

/** What no schema should take for granted. Escapes as C0, C1 and what turns the direction of text. */
const HOSTILE: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  4e9,
  1e308,
  0.5,
  2 ** 53,
  '',
  '\u001b[2J\u001b]0;x\u0007',
  '\u009b31m\u0085\u0090',
  '\u202egnp.exe\u202c\u2066\u061c\ufeff',
  '../../../x',
  '/etc/passwd',
  'https://example.org/x',
  '__proto__',
  'constructor',
  'NaN',
  '1e999',
  'x'.repeat(70_000),
  [],
  {},
  [[[[{}]]]],
  { toString: 1, length: -1 },
];

/** A JSON value with one place in it changed. */
export function mutateValue(value: unknown, random: Random): unknown {
  const isObject = typeof value === 'object' && value !== null;
  if (!isObject || random() < 0.1) return pick(random, HOSTILE);
  if (Array.isArray(value)) {
    if (value.length === 0 || random() < 0.1) return [...(value as unknown[]), pick(random, HOSTILE)];
    const at = Math.floor(random() * value.length);
    return value.map((one: unknown, index) => (index === at ? mutateValue(one, random) : one));
  }
  const names = Object.keys(value);
  if (names.length === 0) return { x: pick(random, HOSTILE) };
  const name = pick(random, names);
  const { [name]: old, ...others } = value as Record<string, unknown>;
  return random() < 0.12 ? others : { ...others, [name]: mutateValue(old, random) };
}

/** A stored text with its JSON changed, or cut, doubled, or with other bytes in it. */
export function mutateText(text: string, random: Random): string {
  const way = random();
  const at = Math.floor(random() * text.length);
  if (way < 0.65) {
    try {
      return JSON.stringify(mutateValue(JSON.parse(text), random));
    } catch {
      // Not JSON: changed as a text.
    }
  }
  if (way < 0.75) return text.slice(0, at);
  if (way < 0.85)
    return text.slice(0, at) + JSON.stringify(pick(random, HOSTILE)).replaceAll('"', '') + text.slice(at + 1);
  if (way < 0.95)
    return text.slice(0, at) + String.fromCharCode(Math.floor(random() * 256)) + text.slice(at + 1);
  return pick(random, ['[', '{"a":', '"']).repeat(20_000);
}

/** Bytes with some of them changed, or cut. */
export function mutateBytes(bytes: Uint8Array, random: Random): Buffer {
  const changed = Buffer.from(bytes);
  if (random() < 0.2) return changed.subarray(0, Math.floor(random() * changed.length));
  for (let left = 1 + Math.floor(random() * 8); left > 0; left -= 1)
    changed[Math.floor(random() * changed.length)] = Math.floor(random() * 256);
  return changed;
}

/** Controls, and what turns the direction of text: none may reach a terminal or a reader of --json. */
export const STEERING = /(?!\n)[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;
