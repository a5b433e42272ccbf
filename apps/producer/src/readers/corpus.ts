import { stat } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Readable } from 'node:stream';
import { commandBlocks, showCommand, type CommandSource } from './command-source.ts';
import { readCsv } from './csv-reader.ts';
import { fileBlocks, FileProblem } from './file-blocks.ts';
import { findFiles, type FindOptions, type SourceFile } from './find-files.ts';
import { readJsonl } from './jsonl-reader.ts';
import { reject, type ReadItem, type RecordOptions, type SourceFormat } from './read-item.ts';
import { readText } from './text-reader.ts';

/** A path, a glob, `-` for standard input, or a program to run. */
export type Source = string | CommandSource;

export interface CorpusOptions extends Omit<FindOptions, 'sources'>, RecordOptions {
  readonly sources: readonly Source[];
  /** What the source `-` reads. */
  readonly stdin: Readable;
}

export interface CorpusSurvey {
  readonly files: number;
  /** Null when it cannot be known (standard input, commands). */
  readonly bytes: number | null;
}

/** The documents of all sources, read as a stream in bounded memory. */
export class Corpus {
  readonly #options: CorpusOptions;
  readonly #problems: string[] = [];
  #problemCount = 0;

  constructor(options: CorpusOptions) {
    this.#options = options;
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

  /** Finds every file before the first is read. @throws EmbedlineError when a source is missing or empty */
  async survey(): Promise<CorpusSurvey> {
    let files = 0;
    let bytes = 0;
    for await (const file of findFiles(this.#fileOptions())) {
      files += 1;
      if (!('refused' in file))
        bytes += await stat(file.path).then(
          ({ size }) => size,
          () => 0,
        );
    }
    const streams = this.#commands().length + (this.#readsStdin() ? 1 : 0);
    return { files: files + streams, bytes: streams > 0 ? null : bytes };
  }

  async *read(signal?: AbortSignal): AsyncGenerator<ReadItem> {
    for await (const file of findFiles(this.#fileOptions())) {
      if ('refused' in file)
        yield this.#note(
          reject({ file: this.#show(file.path) }, { reason: file.refused, documentId: file.id }),
          true,
        );
      else yield* this.#readFile(file, signal);
    }
    for (const command of this.#commands()) yield* this.#readCommand(command, signal);
    if (this.#readsStdin()) yield* this.#readStdin(signal);
  }

  async *#readFile(file: SourceFile, signal: AbortSignal | undefined): AsyncGenerator<ReadItem> {
    let bytes = 0;
    const { gzip } = file.format;
    const blocks = fileBlocks(file.path, {
      gzip,
      limits: this.#options.limits,
      signal,
      onBytes: (count) => (bytes += count),
    });
    const shown = this.#show(file.path);
    const named = { shown, id: file.id, format: file.format.format };
    for await (const item of this.#guard(this.#parse(blocks, file, shown), named)) {
      yield item;
      if (bytes > 0) yield { type: 'progress', bytes };
      bytes = 0;
    }
    if (bytes > 0) yield { type: 'progress', bytes };
  }

  /** Errors of one file cost that file. */
  async *#guard(
    items: AsyncIterable<ReadItem>,
    { shown, id, format }: { shown: string; id: string; format: SourceFormat },
  ): AsyncGenerator<ReadItem> {
    const isDocument = format === 'text' || format === 'markdown';
    try {
      for await (const item of items) yield item.type === 'reject' ? this.#note(item, false) : item;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const documentId = isDocument ? id : null;
      yield this.#note(reject({ file: shown }, { reason: error.message, documentId }), true);
    }
  }

  #parse(blocks: AsyncIterable<Buffer>, file: SourceFile, shown: string): AsyncGenerator<ReadItem> {
    const { format, delimiter } = file.format;
    const stem = file.path.replace(/(\.gz)?$/i, '').replace(/\.[^./\\]+$/, '');
    return parse(blocks, { format, delimiter, id: file.id, shown, sidecar: `${stem}.json` }, this.#options);
  }

  #readStdin(signal: AbortSignal | undefined): AsyncGenerator<ReadItem> {
    const format = this.#options.format ?? 'jsonl';
    return this.#readStream(stdinBlocks(this.#options.stdin, signal), { shown: '-', id: 'stdin', format });
  }

  #readCommand(command: CommandSource, signal: AbortSignal | undefined): AsyncGenerator<ReadItem> {
    const format = command.format ?? this.#options.format ?? 'jsonl';
    const shown = showCommand(command);
    return this.#readStream(commandBlocks(command, { cwd: this.#options.cwd, signal }), {
      shown,
      id: shown,
      format,
    });
  }

  async *#readStream(
    blocks: AsyncIterable<Buffer>,
    { shown, id, format }: { shown: string; id: string; format: SourceFormat },
  ): AsyncGenerator<ReadItem> {
    const delimiter = ',';
    const items = parse(blocks, { format, delimiter, id, shown, sidecar: null }, this.#options);
    yield* this.#guard(items, { shown, id, format });
  }

  /** A record whose id cannot be told might be any document: then nothing may be held to have vanished. */
  #note(item: ReadItem, wholeFile: boolean): ReadItem {
    if (item.type !== 'reject' || (item.documentId !== null && !wholeFile)) return item;
    const { origin, reason } = item.deadLetter;
    this.#problemCount += 1;
    const place = `${origin?.file ?? '?'}${origin?.line === undefined ? '' : `:${origin.line}`}`;
    if (this.#problems.length < 10) this.#problems.push(`${place}: ${reason}`);
    return item;
  }

  #readsStdin(): boolean {
    return this.#options.sources.includes('-');
  }

  #commands(): CommandSource[] {
    return this.#options.sources.filter((source) => typeof source !== 'string');
  }

  #fileOptions(): FindOptions {
    const { cwd, root, format, sources } = this.#options;
    const paths = sources.filter((source) => typeof source === 'string' && source !== '-');
    return { cwd, root, format, sources: paths as string[] };
  }

  #show(path: string): string {
    const shown = relative(this.#options.cwd, path);
    return shown.startsWith('..') ? path : shown;
  }
}

interface ParseOptions {
  readonly format: SourceFormat;
  readonly delimiter: ',' | '\t';
  readonly id: string;
  readonly shown: string;
  readonly sidecar: string | null;
}

function parse(
  blocks: AsyncIterable<Buffer>,
  source: ParseOptions,
  options: RecordOptions,
): AsyncGenerator<ReadItem> {
  const { format, delimiter, id, shown, sidecar } = source;
  switch (format) {
    case 'jsonl':
      return readJsonl(blocks, shown, options);
    case 'csv':
      return readCsv(blocks, shown, delimiter, options);
    case 'text':
    case 'markdown':
      return readText(blocks, { id, file: shown, format, sidecar }, options);
  }
}

async function* stdinBlocks(stdin: Readable, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  const abort = () => stdin.destroy();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    for await (const block of stdin as AsyncIterable<Buffer | string>) {
      signal?.throwIfAborted();
      yield typeof block === 'string' ? Buffer.from(block) : block;
    }
  } catch (cause) {
    signal?.throwIfAborted();
    throw new FileProblem('standard input broke off', { cause });
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
