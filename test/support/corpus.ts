import { Readable } from 'node:stream';
import { Corpus } from '../../apps/producer/src/readers/corpus.ts';
import { DEFAULT_RECORD_OPTIONS } from '../../apps/producer/src/readers/read-item.ts';

/** A corpus of JSON lines with a year beside the text. */
export function corpusOf({
  sources,
  cwd,
}: {
  readonly sources: readonly string[];
  readonly cwd: string;
}): Corpus {
  return new Corpus({
    sources,
    cwd,
    stdin: Readable.from([]),
    ...DEFAULT_RECORD_OPTIONS,
    metadataFields: [{ name: 'year', from: 'year' }],
  });
}
