import { stat } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Readable } from 'node:stream';
import { commandBlocks } from './command-source.ts';
import {
  isFiles,
  isStream,
  pathSource,
  resolveSource,
  showSource,
  type ResolvedSource,
  type Source,
  type SourceDefaults,
} from './corpus-source.ts';
import { fileBlocks, unpackIfGzip } from './file-blocks.ts';
import { FileFinder } from './find-files.ts';
import { lastOfEach } from './last-of-each.ts';
import { parse } from './parse.ts';
import { placeOf, ReadingNotes, type ReadingReport } from './reading-notes.ts';
import { reject, type ReadItem, type SourceFormat } from './read-item.ts';
import { DEFAULT_FIND_RULES, type FindRules, type SourceFile } from './source-file.ts';
import { rootOf } from './source-root.ts';
import { stdinBlocks } from './stdin-blocks.ts';

export type { Source } from './corpus-source.ts';

export interface CorpusOptions extends SourceDefaults, Partial<FindRules> {
  readonly sources: readonly Source[];
  readonly cwd: string;
  /** Folder below which all sources lie, and from which ids are counted. */
  readonly root?: string | undefined;
  /** What the source `-` reads. */
  readonly stdin: Readable;
  /** Of documents with one id the last is read, and the others are passed over. Defaults to false: all are read. */
  readonly lastOfEachId?: boolean;
}

export interface CorpusSurvey {
  readonly files: number;
  /** Null when it cannot be known (standard input, commands). */
  readonly bytes: number | null;
}

/** The documents of all sources, read as a stream in bounded memory. */
export class Corpus {
  readonly #options: CorpusOptions;
  readonly #sources: readonly ResolvedSource[];
  #finder: FileFinder;
  #root: string | undefined;
  #notes = new ReadingNotes();
  #problems: string[] = [];
  #problemCount = 0;

  constructor(options: CorpusOptions) {
    this.#options = options;
    this.#sources = options.sources.map((source) => resolveSource(source, options));
    this.#finder = this.#newFinder();
  }

  /**
   * Why not every document of the corpus is known after reading: files that could not be read to their end, records
   * whose id cannot be told. Empty when the reading was complete; only then may vanished documents be deleted.
   */
  get problems(): readonly string[] {
    return this.#problems;
  }

  get problemCount(): number {
    return this.#problemCount;
  }

  /** What is to be told of the last reading or survey. Complete when that has ended. */
  get report(): ReadingReport {
    const idsFrom = this.#root === undefined ? null : this.#show(this.#root);
    return this.#notes.report(this.#finder.leftOut(), idsFrom);
  }

  /** Counts a document that was passed over because another has its id. */
  noteDuplicate(): void {
    this.#notes.duplicates += 1;
  }

  /** Finds every file before the first is read. @throws EmbedlineError when a source is missing or empty */
  async survey(): Promise<CorpusSurvey> {
    let files = 0;
    let bytes = 0;
    for await (const file of await this.#files()) {
      files += 1;
      if (!('refused' in file))
        bytes += await stat(file.path).then(
          ({ size }) => size,
          () => 0,
        );
    }
    const streams = this.#sources.filter(isStream).length;
    return { files: files + streams, bytes: streams > 0 ? null : bytes };
  }

  /** Some text files of each source, which are documents of their own: where they lie and what their ids are. */
  async textFiles(most: number): Promise<{ readonly path: string; readonly id: string }[]> {
    const counts = new Map<number, number>();
    const chosen: { path: string; id: string }[] = [];
    for await (const file of await this.#files()) {
      if ('refused' in file || !isDocument(file.format.format)) continue;
      const count = counts.get(file.source) ?? 0;
      counts.set(file.source, count + 1);
      if (count < most) chosen.push({ path: file.path, id: file.id });
    }
    return chosen;
  }

  async *read(signal?: AbortSignal): AsyncGenerator<ReadItem> {
    if (this.#options.lastOfEachId !== true) yield* this.#readOnce(signal);
    else
      yield* lastOfEach(() => this.#readOnce(signal), {
        onPassedOver: () => this.noteDuplicate(),
        onChanged: (problem) => this.#addProblem(problem),
      });
  }

  async *#readOnce(signal?: AbortSignal): AsyncGenerator<ReadItem> {
    this.#notes = new ReadingNotes();
    [this.#problems, this.#problemCount] = [[], 0];
    for await (const file of await this.#files()) {
      if ('refused' in file)
        yield this.#note(
          reject({ file: this.#show(file.path) }, { reason: file.refused, documentId: file.id }),
          true,
        );
      else yield* this.#readFile(file, signal);
    }
    for (const source of this.#sources) if (isStream(source)) yield* this.#readStream(source, signal);
  }

  async *#readFile(file: SourceFile, signal: AbortSignal | undefined): AsyncGenerator<ReadItem> {
    const source = this.#sources.filter(isFiles)[file.source];
    if (source === undefined) return;
    let bytes = 0;
    const { gzip, format, delimiter } = file.format;
    const blocks = fileBlocks(file.path, {
      gzip,
      limits: this.#options.limits,
      signal,
      onBytes: (count) => (bytes += count),
    });
    const stem = file.path.replace(/(\.gz)?$/i, '').replace(/\.[^./\\]+$/, '');
    const named = { shown: this.#show(file.path), id: file.id, format };
    const items = parse(
      blocks,
      { ...named, delimiter, sidecar: `${stem}.json`, encoding: source.encoding },
      source.options,
    );
    for await (const item of this.#guard(items, named)) {
      yield item;
      if (bytes > 0) yield { type: 'progress', bytes };
      bytes = 0;
    }
    if (bytes > 0) yield { type: 'progress', bytes };
  }

  async *#readStream(source: ResolvedSource, signal: AbortSignal | undefined): AsyncGenerator<ReadItem> {
    const { cwd, stdin, limits } = this.#options;
    const isStdin = 'path' in source.from;
    const shown = isStdin ? '-' : showSource(source);
    const format = source.format ?? 'jsonl';
    const blocks =
      'path' in source.from ? stdinBlocks(stdin, signal) : commandBlocks(source.from, { cwd, signal });
    const named = { shown, id: isStdin ? 'stdin' : shown, format };
    const unpacked = unpackIfGzip(blocks, { limits, signal });
    const items = parse(
      unpacked,
      { ...named, delimiter: ',', sidecar: null, encoding: source.encoding },
      source.options,
    );
    yield* this.#guard(items, named);
  }

  /** Errors of one file cost that file. */
  async *#guard(
    items: AsyncIterable<ReadItem>,
    { shown, id, format }: { shown: string; id: string; format: SourceFormat },
  ): AsyncGenerator<ReadItem> {
    try {
      for await (const item of items) {
        if (item.type === 'note') this.#notes.add(item);
        else yield item.type === 'reject' ? this.#note(item, false) : item;
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const documentId = isDocument(format) ? id : null;
      yield this.#note(reject({ file: shown }, { reason: error.message, documentId }), true);
    }
  }

  /** A record whose id cannot be told might be any document: then nothing may be held to have vanished. */
  #note(item: ReadItem, wholeFile: boolean): ReadItem {
    if (item.type !== 'reject' || (item.documentId !== null && !wholeFile)) return item;
    const { origin, reason } = item.deadLetter;
    this.#addProblem(`${origin === null ? '?' : placeOf(origin)}: ${reason}`);
    return item;
  }

  #addProblem(problem: string): void {
    this.#problemCount += 1;
    if (this.#problems.length < 10) this.#problems.push(problem);
  }

  async #files() {
    this.#finder = this.#newFinder();
    this.#root =
      this.#options.root ?? (await rootOf(this.#sources.filter(isFiles).map(pathSource), this.#options.cwd));
    return this.#finder.files();
  }

  #newFinder(): FileFinder {
    const { cwd, root, exclude, hidden, ignore, followLinks } = { ...DEFAULT_FIND_RULES, ...this.#options };
    const sources = this.#sources.filter(isFiles).map(pathSource);
    const show = (path: string) => this.#show(path);
    return new FileFinder({ sources, cwd, root, exclude, hidden, ignore, followLinks, show });
  }

  #show(path: string): string {
    const shown = relative(this.#options.cwd, path);
    return shown.startsWith('..') ? path : shown === '' ? '.' : shown;
  }
}

function isDocument(format: SourceFormat): boolean {
  return format === 'text' || format === 'markdown';
}
