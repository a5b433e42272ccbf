import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { Corpus, type CorpusOptions } from '../../apps/producer/src/readers/corpus.ts';
import { DEFAULT_RECORD_OPTIONS, type ReadItem } from '../../apps/producer/src/readers/read-item.ts';
import { temporaryDirectory } from './temporary.ts';

/** A folder with files in it, by their paths. */
export async function folderWith(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const folder = await temporaryDirectory();
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

/** What a corpus comes to; its sources default to all of the folder. */
export async function readCorpus(cwd: string, options: Partial<CorpusOptions> = {}) {
  const corpus = new Corpus({
    ...DEFAULT_RECORD_OPTIONS,
    sources: ['.'],
    cwd,
    stdin: Readable.from([]),
    ...options,
  });
  const items: ReadItem[] = [];
  for await (const item of corpus.read()) items.push(item);
  const documents = items.flatMap((item) => (item.type === 'document' ? [item.document] : []));
  const rejects = items.flatMap((item) => (item.type === 'reject' ? [item.deadLetter] : []));
  return {
    documents,
    ids: documents.map(({ id }) => id),
    texts: documents.map(({ text }) => text),
    metadata: documents.map(({ metadata }) => ({ ...metadata })),
    reasons: rejects.map(({ origin, reason }) => `${origin?.file ?? '?'}:${origin?.line ?? ''} ${reason}`),
    report: corpus.report,
    problems: corpus.problems,
  };
}
