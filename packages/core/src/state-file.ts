import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';

/** What a JSON file of small state holds: `{ "version": 1, "entries": { ... } }`. */
export interface StateFile<Entry> {
  readonly file: string;
  /** Of the format that this program writes. */
  readonly version: number;
  readonly entry: z.ZodType<Entry>;
  /** The newest are kept. Defaults to all. */
  readonly maxEntries?: number;
}

export type StateFileContent<Entry> =
  | { readonly kind: 'read'; readonly entries: Readonly<Record<string, Entry>> }
  /** Written by a newer program: left as it is. */
  | { readonly kind: 'newer'; readonly version: number };

const versioned = z.looseObject({ version: z.int().min(1), entries: z.record(z.string(), z.unknown()) });

/**
 * Reads a file of small state. One that is absent or damaged is empty, since all of it can be found out again; so is an
 * entry that is damaged. Before version 1 the entries stood alone.
 */
export async function readStateFile<Entry>(state: StateFile<Entry>): Promise<StateFileContent<Entry>> {
  const text = await readFile(state.file, 'utf8').catch(() => '{}');
  const value = parseJson(text);
  const parsed = versioned.safeParse(value);
  if (parsed.success && parsed.data.version > state.version)
    return { kind: 'newer', version: parsed.data.version };
  const unversioned = z.record(z.string(), z.unknown()).catch({}).parse(value);
  const all = parsed.success ? parsed.data.entries : unversioned;
  const entries: Record<string, Entry> = {};
  for (const [key, one] of Object.entries(all)) {
    const entry = state.entry.safeParse(one);
    if (entry.success) entries[key] = entry.data;
  }
  return { kind: 'read', entries };
}

/** Sets one entry, in one step. Does nothing where nothing can be written, and leaves a newer program's file alone. */
export async function writeStateEntry<Entry>(
  state: StateFile<Entry>,
  key: string,
  entry: Entry,
): Promise<void> {
  const found = await readStateFile(state);
  if (found.kind === 'newer') return;
  const others = Object.entries(found.entries).filter(([other]) => other !== key);
  const kept = others.slice(Math.max(0, others.length + 1 - (state.maxEntries ?? Infinity)));
  const content = { version: state.version, entries: { ...Object.fromEntries(kept), [key]: entry } };
  const draft = `${state.file}.${process.pid}`;
  try {
    await mkdir(dirname(state.file), { recursive: true });
    await writeFile(draft, `${JSON.stringify(content, null, 2)}\n`);
    await rename(draft, state.file);
  } catch {
    // A read-only container, or a full disk: what is kept here can be measured again.
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
