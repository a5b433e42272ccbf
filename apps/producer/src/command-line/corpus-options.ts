import { InvalidArgumentError, Option, type Command } from 'commander';
import { parseDelimiter, parseQuote } from '../readers/csv-dialect.ts';
import { knownEncoding } from '../readers/encoding-names.ts';
import { parseMetadataFields } from '../readers/metadata-fields.ts';

/** The flags that say which files are read, and how. */
export function addCorpusOptions(command: Command): Command {
  return addFileOptions(addRecordOptions(command));
}

function addRecordOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--format <format>',
        'how to read the sources; default: by file ending, jsonl for -',
      ).choices(['jsonl', 'csv', 'text', 'markdown']),
    )
    .option(
      '--id-field <names>',
      'field that holds the id of a record, or several (a,b), or a path (meta.id); default: id',
    )
    .addOption(
      new Option(
        '--id-from <where>',
        'where ids come from: field; line (file and line); hash (text, title and metadata); default: field',
      ).choices(['field', 'line', 'hash']),
    )
    .option(
      '--text-field <names>',
      'field that holds its text, or several (subject,body), joined by a blank line, or a path (message.content); default: text',
    )
    .option('--title-field <name>', 'field that holds its title, if there is one; default: title')
    .option(
      '--metadata-fields <list>',
      'fields to keep and filter on, by name or path, e.g. year:number,president=name,author.name; types: text, number, ' +
        'boolean, date; default: none',
      (text: string) => {
        asTyped(parseMetadataFields)(text);
        return text.split(',').filter((part) => part.trim() !== '');
      },
    )
    .option(
      '--strict-metadata',
      'a field that metadata cannot hold costs its record; default: it is left out, and told',
    )
    .option('--no-sidecars', 'take no metadata from a .json file beside a text')
    .addOption(
      new Option(
        '--on-duplicate <what>',
        'of records with one id: take the first or the last, or fail; default: the first, the others are dead letters',
      ).choices(['first', 'last', 'fail', 'dead-letter']),
    )
    .option(
      '--delimiter <character>',
      'what stands between columns of CSV, or tab; default: found out, and told',
      asTyped(parseDelimiter),
    )
    .option(
      '--quote <character>',
      'what stands around fields of CSV, or none; default: " for .csv, found out for .tsv',
      asTyped(parseQuote),
    )
    .option(
      '--escape <character>',
      'what stands before a character of CSV that is part of a field, or none; default: a backslash where a field is \\N',
      asTyped(parseQuote),
    )
    .option('--no-header', 'the first row of CSV is a record; columns are called 1, 2, 3 ...')
    .option(
      '--encoding <name>',
      'of files without a byte order mark, e.g. latin1, windows-1252, utf-16le; default: UTF-8, or UTF-16 if they are that',
      asTyped(encoding),
    );
}

function addFileOptions(command: Command): Command {
  return command
    .option(
      '--exclude <glob>',
      'leave out what matches, as in .gitignore; may be repeated',
      (glob: string, globs?: readonly string[]) => [...(globs ?? []), glob],
    )
    .option('--hidden', 'read hidden files too')
    .option('--no-ignore', 'read what .gitignore and .embedlineignore keep out, and node_modules')
    .option('--follow-links', 'follow links, though not out of their source (or --root)')
    .option('--strict', 'files that no reader takes are an error');
}

/** Checks a value and keeps it as it was typed: the definition's schema reads it. */
export function asTyped(read: (text: string) => unknown): (text: string) => string {
  return (text) => {
    try {
      read(text);
      return text;
    } catch (error) {
      throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
    }
  };
}

function encoding(label: string): void {
  if (knownEncoding(label) === null)
    throw new RangeError(
      `There is no encoding ${JSON.stringify(label)}; known are those of the WHATWG standard, e.g. latin1, utf-16le.`,
    );
}
