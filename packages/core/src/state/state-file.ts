import { join } from 'node:path';
import { z } from 'zod';
import { isEmbedlineError } from '../errors.ts';
import { newerVersion } from '../format-version.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';
import { checkStateFolder, openStateFolder } from './state-folder.ts';

/** What a JSON file of small state holds: `{ "version": 1, "entries": { ... } }`. */
export interface StateFile<Entry> {
  /** The folder of state, in which the file is. */
  readonly home: string;
  readonly name: string;
  /** Of the format that this program writes. */
  readonly version: number;
  readonly entry: z.ZodType<Entry>;
  /** The newest are kept. */
  readonly maxEntries: number;
}

export type StateFileContent<Entry> =
  | { readonly kind: 'read'; readonly entries: Readonly<Record<string, Entry>> }
  /** Written by a newer program: left as it is. */
  | { readonly kind: 'newer'; readonly version: number };

const versioned = z.looseObject({ version: z.int().min(1), entries: z.record(z.string(), z.unknown()) });

/** Far above what embedline writes. */
const MAX_BYTES = 1024 * 1024;
/** What is written; a file with more is damaged or forged. */
const MAX_ENTRIES = 10_000;

/**
 * Reads a file of small state. One that is absent or damaged is empty, since all of it can be found out again; so is an
 * entry that is damaged. Before version 1 the entries stood alone.
 * @throws EmbedlineError STATE_UNSAFE for a folder or file that others may write, and for a link
 */
export async function readStateFile<Entry>(state: StateFile<Entry>): Promise<StateFileContent<Entry>> {
  const found = await readVersioned(state);
  if (found.version > state.version) return { kind: 'newer', version: found.version };
  const entries = Object.create(null) as Record<string, Entry>;
  for (const [key, one] of Object.entries(found.entries).slice(-MAX_ENTRIES)) {
    const entry = state.entry.safeParse(one);
    if (entry.success) entries[key] = entry.data;
  }
  return { kind: 'read', entries };
}

/** Whatever its version: a file of a newer one need not have entries. */
async function readVersioned(state: StateFile<unknown>): Promise<z.infer<typeof versioned>> {
  const value = parseJson(await readText(state));
  const version = newerVersion(value, state.version);
  if (version !== null) return { version, entries: {} };
  const parsed = versioned.safeParse(value);
  if (parsed.success) return parsed.data;
  return { version: state.version, entries: z.record(z.string(), z.unknown()).catch({}).parse(value) };
}

/**
 * Sets one entry, in one step. Does nothing where nothing can be written, leaves a newer program's file alone, and keeps
 * what one of the same version added.
 */
export async function writeStateEntry<Entry>(
  state: StateFile<Entry>,
  key: string,
  entry: Entry,
): Promise<void> {
  const found = await readVersioned(state);
  if (found.version > state.version) return;
  const others = Object.entries(found.entries).filter(([other]) => other !== key);
  const kept = others.slice(Math.max(0, others.length + 1 - state.maxEntries));
  const content = {
    ...found,
    version: state.version,
    entries: { ...Object.fromEntries(kept), [key]: entry },
  };
  try {
    const folder = openStateFolder(state.home);
    await writePrivateFile(join(folder, state.name), `${JSON.stringify(content, null, 2)}\n`);
  } catch (error) {
    // In a read-only container, or on a full disk, it is measured again.
    if (isEmbedlineError(error, 'STATE_UNSAFE')) throw error;
  }
}

async function readText({ home, name }: Pick<StateFile<unknown>, 'home' | 'name'>): Promise<string> {
  if (!checkStateFolder(home)) return '{}';
  try {
    return (await readPrivateFile(join(home, name), MAX_BYTES)) ?? '{}';
  } catch (error) {
    if (isEmbedlineError(error, 'STATE_UNSAFE')) throw error;
    return '{}';
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
