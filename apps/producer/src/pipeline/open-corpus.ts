import type { Readable } from 'node:stream';
import { EmbedlineError } from '@embedline/core';
import { Corpus, type Source } from '../readers/corpus.ts';
import { describeIgnored } from '../readers/left-out.ts';
import { DEFAULT_RECORD_OPTIONS, type MetadataField, type MetadataType } from '../readers/read-item.ts';
import type { PipelineDefinition } from './definition.ts';
import type { SourceDefinition } from './reading-schema.ts';

/**
 * The corpus of a definition, whose sources are there.
 * @throws EmbedlineError USAGE, SOURCE_NOT_FOUND, SOURCE_EMPTY, SOURCE_UNREADABLE, SOURCE_IGNORED
 */
export async function openCorpus(definition: PipelineDefinition, stdin: Readable): Promise<Corpus> {
  const { sources, root, directory, strictMetadata, sidecars, onDuplicate, strict } = definition;
  const { exclude, hidden, ignore, followLinks } = definition;
  const { maxLineBytes, maxDocumentBytes, maxMetadataBytes, maxGzipRatio } = definition;
  assertRereadable(definition);
  const types = metadataTypes(definition);
  const defaults = { ...DEFAULT_RECORD_OPTIONS, ...reading(definition, types) };
  const corpus = new Corpus({
    ...defaults,
    csv: { ...DEFAULT_RECORD_OPTIONS.csv, ...defaults.csv },
    sources: sources.map((source) => sourceOf(source, types)),
    cwd: directory,
    root,
    stdin,
    strictMetadata,
    sidecars,
    lastOfEachId: onDuplicate === 'last',
    exclude,
    hidden,
    ignore,
    followLinks,
    limits: { maxLineBytes, maxDocumentBytes, maxMetadataBytes, maxGzipRatio },
  });
  await corpus.survey();
  const { report } = corpus;
  if (strict && report.ignored.files > 0)
    throw new EmbedlineError(
      'SOURCE_IGNORED',
      `${describeIgnored(report)}, for example ${report.ignored.sample.join(', ')}. With --strict that is an error: keep them out ` +
        `with --exclude or .embedlineignore, or leave --strict out.`,
    );
  return corpus;
}

function assertRereadable({ sources, onDuplicate }: PipelineDefinition): void {
  const isStream = (source: SourceDefinition) =>
    typeof source === 'string' ? source === '-' : !('path' in source) || source.path === '-';
  if (onDuplicate !== 'last' || !sources.some(isStream)) return;
  throw new EmbedlineError(
    'USAGE',
    `--on-duplicate last reads the corpus twice, and standard input or a command can be read only once. Put it into a file.`,
  );
}

/** What a definition or one of its sources says of reading, as readers have it. */
function reading(
  said: Partial<Omit<PipelineDefinition, 'sources'>>,
  types: ReadonlyMap<string, MetadataType>,
) {
  const {
    format,
    idField,
    idFrom,
    textField,
    titleField,
    metadataFields,
    delimiter,
    quote,
    escape,
    header,
    encoding,
  } = said;
  return {
    ...(format === undefined ? {} : { format }),
    ...(idField === undefined ? {} : { idFields: idField }),
    ...(idFrom === undefined ? {} : { idFrom }),
    ...(textField === undefined ? {} : { textFields: textField }),
    ...(titleField === undefined ? {} : { titleField }),
    ...(metadataFields === undefined
      ? {}
      : { metadataFields: metadataFields.map((field) => typed(field, types)) }),
    ...(encoding === undefined ? {} : { encoding }),
    csv: {
      ...(delimiter === undefined ? {} : { delimiter }),
      ...(quote === undefined ? {} : { quote }),
      ...(escape === undefined ? {} : { escape }),
      ...(header === undefined ? {} : { header }),
    },
  };
}

function sourceOf(source: SourceDefinition, types: ReadonlyMap<string, MetadataType>): Source {
  if (typeof source === 'string') return source;
  const from =
    'path' in source ? { path: source.path } : { command: source.command, environment: source.environment };
  return { ...from, ...reading(source, types) };
}

/** A field is of one type in all sources: what one of them says holds for the others. */
function typed(field: MetadataField, types: ReadonlyMap<string, MetadataType>): MetadataField {
  const valueType = field.valueType ?? types.get(field.name);
  return valueType === undefined ? field : { ...field, valueType };
}

/** @throws EmbedlineError USAGE for a field that two sources want as different types */
function metadataTypes({ metadataFields = [], sources }: PipelineDefinition): Map<string, MetadataType> {
  const own = sources.flatMap((source) => (typeof source === 'string' ? [] : (source.metadataFields ?? [])));
  const types = new Map<string, MetadataType>();
  for (const { name, valueType } of [...metadataFields, ...own]) {
    const before = types.get(name);
    if (valueType === undefined) continue;
    if (before !== undefined && before !== valueType)
      throw new EmbedlineError(
        'USAGE',
        `Metadata field ${JSON.stringify(name)} is ${before} in one source and ${valueType} in another. A field has one type: name one of them otherwise (NAME=FIELD:TYPE).`,
      );
    types.set(name, valueType);
  }
  return types;
}
