import { readFile } from 'node:fs/promises';
import { messageOf, type Metadata, type Origin } from '@embedline/core';
import { decodeUtf8 } from './decode-text.ts';
import { FileProblem } from './file-blocks.ts';
import { reject, type ReadItem, type RecordOptions } from './read-item.ts';
import { metadataOf, textProblem, type Fields } from './record.ts';

export interface TextFile {
  /** Id of the document: the path below the source's root. */
  readonly id: string;
  /** For people. */
  readonly file: string;
  readonly format: 'text' | 'markdown';
  /** Where a .json with metadata may lie beside it; null for stdin. */
  readonly sidecar: string | null;
}

/** One file, one document. Metadata comes from a .json file of the same stem beside it, if there is one. */
export async function* readText(
  blocks: AsyncIterable<Buffer>,
  { id, file, format, sidecar }: TextFile,
  options: RecordOptions,
): AsyncGenerator<ReadItem> {
  const origin: Origin = { file };
  try {
    const bytes = await collect(blocks, options.limits.maxDocumentBytes);
    const whole = decodeUtf8(bytes).replace(/^\uFEFF/, '');
    const { text, title } = format === 'markdown' ? takeFrontMatter(whole) : { text: whole, title: null };
    const problem = textProblem(text, options);
    if (problem !== null) throw new RangeError(problem);
    const metadata = await readSidecar(sidecar, options);
    yield { type: 'document', document: { id, text, title, metadata, origin }, format };
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

async function readSidecar(sidecar: string | null, options: RecordOptions): Promise<Metadata> {
  const none = Object.create(null) as Metadata;
  if (sidecar === null || options.metadataFields.length === 0) return none;
  const bytes = await readFile(sidecar).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new RangeError(`its metadata file ${sidecar} cannot be read (${error.code ?? messageOf(error)})`, {
      cause: error,
    });
  });
  if (bytes === null) return none;
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(bytes));
  } catch (cause) {
    throw new RangeError(`its metadata file ${sidecar} is not JSON`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RangeError(`its metadata file ${sidecar} is not a JSON object`);
  }
  return metadataOf(value as Fields, options);
}

/** Takes a leading `---` block off; its `title:` line, or else the first top heading, is the title. */
function takeFrontMatter(whole: string): { text: string; title: string | null } {
  const block = /^---\r?\n(?<matter>[^]*?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(whole.slice(0, 65_536));
  const text = block === null ? whole : whole.slice(block[0].length);
  const named = /^title:[ \t]*(?<title>.+)$/m.exec(block?.groups?.['matter'] ?? '')?.groups?.['title'];
  const heading = /^# (?<title>.+)$/m.exec(text.slice(0, 65_536))?.groups?.['title'];
  const title = (named ?? heading)?.trim().replace(/^(["'])(.*)\1$/, '$2') ?? null;
  return { text, title: title === '' ? null : title };
}
