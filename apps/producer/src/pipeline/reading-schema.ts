import { messageOf } from '@embedline/core';
import { z } from 'zod';
import { parseDelimiter, parseQuote } from '../readers/csv-dialect.ts';
import { knownEncoding } from '../readers/encoding-names.ts';
import { parseMetadataFields } from '../readers/metadata-fields.ts';

const textSchema = z.string().min(1, 'expected a text that is not empty');
/** The name of an environment variable, never its value. */
export const variableSchema = z
  .string()
  .regex(/^[A-Za-z_]\w*$/, 'expected the name of an environment variable');
const formatSchema = z.enum(['jsonl', 'csv', 'text', 'markdown']);

/** A schema of what a function reads, which throws a RangeError for what it cannot. */
function readBy<Input, Output>(input: z.ZodType<Input>, read: (value: Input) => Output) {
  return input.transform((value, context) => {
    try {
      return read(value);
    } catch (error) {
      context.addIssue({ code: 'custom', message: messageOf(error) });
      return z.NEVER;
    }
  });
}

/** One field, several as `a,b`, or a list of them. */
const fieldsSchema = z
  .union([textSchema, z.array(textSchema).min(1)], { error: 'expected a field, or a list of fields' })
  .transform((fields) =>
    typeof fields === 'string' ? fields.split(',').map((field) => field.trim()) : fields,
  )
  .refine((fields) => fields.every((field) => field !== ''), 'expected names of fields, e.g. subject,body');

const metadataFieldsSchema = readBy(z.array(textSchema), (fields) => parseMetadataFields(fields.join(',')));

const encodingSchema = readBy(textSchema, (label) => {
  const name = knownEncoding(label);
  if (name === null)
    throw new RangeError(
      `${JSON.stringify(label)} is not an encoding of the WHATWG standard, e.g. latin1, windows-1252, utf-16le, shift_jis`,
    );
  return name;
});

/** How records are read, which may be said of all sources and of each. */
const readingShape = {
  format: formatSchema.optional(),
  /** Field of the id, or several, or paths such as `meta.id`. Defaults to id. */
  idField: fieldsSchema.optional(),
  /** `field`; `line`: file and line; `hash`: what the document says. Defaults to field. */
  idFrom: z.enum(['field', 'line', 'hash']).optional(),
  /** Field of the text, or several, which are joined by a blank line, or paths. Defaults to text. */
  textField: fieldsSchema.optional(),
  /** Defaults to title. */
  titleField: textSchema.optional(),
  /** Fields to keep: `year`, `president=name` under another name, `year:number` as a type, `author.name` by path. */
  metadataFields: metadataFieldsSchema.optional(),
  /** Of CSV: one character, or `tab`. Defaults to what is found out. */
  delimiter: readBy(textSchema, parseDelimiter).optional(),
  /** Of CSV: one character, or `none`. Defaults to " for CSV, and for TSV that has them as CSV does. */
  quote: readBy(z.union([textSchema, z.null()]), parseQuote).optional(),
  /** Of CSV: one character, or `none`. Defaults to a backslash where a field is `\N`, as databases write it. */
  escape: readBy(z.union([textSchema, z.null()]), parseQuote).optional(),
  /** Of CSV: false when the first row is a record; columns are called 1, 2, 3 ... then. Defaults to true. */
  header: z.boolean().optional(),
  /** Of files without a byte order mark. Defaults to UTF-8, or UTF-16 if they are that. */
  encoding: encodingSchema.optional(),
};

export const sourceSchema = z.union(
  [
    textSchema,
    z.strictObject({ path: textSchema, ...readingShape }),
    z.strictObject({
      command: z.array(textSchema).min(1, 'expected at least a program'),
      /** Variables of the environment that the program gets besides the usual ones (PATH, HOME, LANG and the like). */
      environment: z.array(variableSchema).optional(),
      ...readingShape,
    }),
  ],
  {
    error:
      'expected a path, a glob, "-", { path: "./folder", ... } or { command: ["program", "argument", ...], environment: ["VARIABLE"], ... }, ' +
      `where ... may be ${Object.keys(readingShape).join(', ')}`,
  },
);

/** What pipelines say of reading, beside {@link sourceSchema}. */
export const corpusShape = {
  ...readingShape,
  /** A field that metadata cannot hold costs its record. Defaults to false: it is left out, and told. */
  strictMetadata: z.boolean().default(false),
  /** Whether a .json beside a text is looked at for its metadata. */
  sidecars: z.boolean().default(true),
  /** Of documents with one id: all but the first are dead letters, or the first or last one is taken, or the run fails. */
  onDuplicate: z.enum(['dead-letter', 'first', 'last', 'fail']).default('dead-letter'),
  /** What is not to be read, as in .gitignore, counted from each source. */
  exclude: z.array(textSchema).default([]),
  /** Whether hidden files are read. */
  hidden: z.boolean().default(false),
  /** Whether .gitignore and .embedlineignore are honoured, and node_modules is kept out. */
  ignore: z.boolean().default(true),
  /** Whether links are followed, though not out of their source (or `root`). */
  followLinks: z.boolean().default(false),
  /** Files that no reader takes are an error. */
  strict: z.boolean().default(false),
};

export type SourceDefinition = z.output<typeof sourceSchema>;
