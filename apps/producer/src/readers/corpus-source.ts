import { showCommand, type CommandSource } from './command-source.ts';
import type { PathSource } from './source-file.ts';
import type { CsvOptions, RecordOptions, SourceFormat } from './read-item.ts';

/** What may be said of one source otherwise than of the others. */
export interface SourceOptions extends Partial<
  Omit<RecordOptions, 'limits' | 'csv' | 'strictMetadata' | 'sidecars'>
> {
  readonly format?: SourceFormat | undefined;
  readonly csv?: Partial<CsvOptions>;
  readonly encoding?: string | undefined;
}

/** A path, a glob, `-` for standard input, or a program to run, with what holds for it alone. */
export type Source = string | ({ readonly path: string } & SourceOptions) | (CommandSource & SourceOptions);

/** A source with all that holds for it. */
export interface ResolvedSource {
  readonly from: { readonly path: string } | CommandSource;
  readonly format: SourceFormat | undefined;
  readonly encoding: string | undefined;
  readonly options: RecordOptions;
}

export interface SourceDefaults extends RecordOptions {
  readonly format?: SourceFormat | undefined;
  /** Of files without a byte order mark. Defaults to UTF-8, or UTF-16 if they are that. */
  readonly encoding?: string | undefined;
}

export function resolveSource(source: Source, defaults: SourceDefaults): ResolvedSource {
  const own: SourceOptions = typeof source === 'string' ? {} : source;
  const said = (key: keyof RecordOptions & keyof SourceOptions) =>
    own[key] === undefined ? {} : { [key]: own[key] };
  const options: RecordOptions = {
    ...defaults,
    ...said('idFields'),
    ...said('idFrom'),
    ...said('textFields'),
    ...said('titleField'),
    ...said('metadataFields'),
    csv: { ...defaults.csv, ...own.csv },
  };
  return {
    from: typeof source === 'string' ? { path: source } : source,
    format: own.format ?? defaults.format,
    encoding: own.encoding ?? defaults.encoding,
    options,
  };
}

/** How a source is named for people. */
export function showSource({ from }: ResolvedSource): string {
  return 'path' in from ? from.path : showCommand(from);
}

export function isFiles({ from }: ResolvedSource): boolean {
  return 'path' in from && from.path !== '-';
}

export function isStream(source: ResolvedSource): boolean {
  return !isFiles(source);
}

export function pathSource({ from, format, options }: ResolvedSource): PathSource {
  const readsSidecars = options.sidecars && options.metadataFields.length > 0;
  return { path: 'path' in from ? from.path : '', format, readsSidecars };
}
