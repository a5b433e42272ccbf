import { cutText, messageOf, type Metadata, type Origin } from '@embedline/core';
import { decodeUtf8 } from './decode-text.ts';
import { FileProblem } from './file-blocks.ts';
import { parseFrontMatter, type FrontMatter } from './front-matter.ts';
import { reject, type ReaderOptions, type ReadItem, type ReadNote } from './read-item.ts';
import { keptNames, metadataOf, textProblem } from './record.ts';
import { sidecarMetadata } from './sidecar.ts';

export interface TextFile {
  /** Id of the document: the path below the source's root. */
  readonly id: string;
  /** For people. */
  readonly file: string;
  readonly format: 'text' | 'markdown';
  /** Where a .json with metadata may lie beside it; null for stdin. */
  readonly sidecar: string | null;
}

/**
 * One file, one document. Metadata comes from front matter (Markdown) and from a .json file of the same stem beside it, if
 * there is one that has it; where both have a field, the .json file counts.
 */
export async function* readText(
  blocks: AsyncIterable<Buffer>,
  { id, file, format, sidecar }: TextFile,
  options: ReaderOptions,
): AsyncGenerator<ReadItem> {
  const origin: Origin = { file };
  try {
    const bytes = await collect(blocks, options.limits.maxDocumentBytes);
    const text = decodeUtf8(bytes, options.encoding).replace(/^\uFEFF/, '');
    const matter = format === 'markdown' ? parseFrontMatter(text, keptNames(options)) : null;
    const { bodyStart = 0 } = matter ?? {};
    const problem = textProblem(bodyStart === 0 ? text : text.slice(bodyStart), options);
    if (problem !== null) throw new RangeError(problem);
    const notes: ReadNote[] = [];
    const tell = (note: ReadNote) => notes.push(note);
    const tellForm = (what: string) => tell({ type: 'note', about: 'form', what, origin });
    if (matter !== null && matter.problem !== null) tellForm(matter.problem);
    if (text.includes('\0')) tellForm('holds NUL characters, as binary files and mixed encodings do');
    const beside = await sidecarMetadata(sidecar, origin, options, tell);
    const metadata = withFrontMatter(beside, matter, origin, options, tell);
    yield* notes;
    const document = { id, text, bodyStart, title: titleOf(matter), metadata, origin };
    yield { type: 'document', document, format };
  } catch (error) {
    // A file that cannot be read to its end makes the reading incomplete; one that is no text costs itself.
    if (!(error instanceof RangeError) || error instanceof FileProblem) throw error;
    yield reject(origin, { reason: messageOf(error), documentId: id });
  }
}

async function collect(blocks: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const block of blocks) {
    length += block.length;
    if (length > maxBytes)
      throw new RangeError(`the file is longer than ${maxBytes} bytes (--max-document-bytes)`);
    parts.push(block);
  }
  return Buffer.concat(parts);
}

/** What the front matter says where the file beside it says nothing. @throws RangeError with the reason */
function withFrontMatter(
  beside: Metadata,
  matter: FrontMatter | null,
  origin: Origin,
  options: ReaderOptions,
  tell: (note: ReadNote) => void,
): Metadata {
  if (matter === null) return beside;
  const metadataFields = options.metadataFields.filter(({ name }) => !Object.hasOwn(beside, name));
  const own = metadataOf({ ...matter, origin, format: 'markdown' }, { ...options, metadataFields }, tell);
  return Object.assign(Object.create(null) as Metadata, own, beside);
}

/** The first heading of a document without one is found where its structure is. */
function titleOf(matter: FrontMatter | null): string | null {
  if (matter === null || !Object.hasOwn(matter.fields, 'title')) return null;
  const title = matter.fields['title'];
  const text = typeof title === 'number' ? (matter.written.get('title') ?? String(title)) : title;
  if (typeof text !== 'string' || text.trim() === '') return null;
  return cutText(text.toWellFormed().replaceAll(/\s+/g, ' ').trim(), 300);
}
