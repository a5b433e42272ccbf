import { cutText, messageOf, type Origin } from '@embedline/core';
import { decodeUtf8 } from './decode-text.ts';
import { FileProblem } from './file-blocks.ts';
import { withPlainLineEnds } from './line-ends.ts';
import { reject, type ReaderOptions, type ReadItem, type ReadNote } from './read-item.ts';
import { textProblem } from './record.ts';
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
 * One file, one document, its line ends as \n. Metadata comes from a .json file of the same stem beside it, if there is
 * one that has it.
 */
export async function* readText(
  blocks: AsyncIterable<Buffer>,
  { id, file, format, sidecar }: TextFile,
  options: ReaderOptions,
): AsyncGenerator<ReadItem> {
  const origin: Origin = { file };
  try {
    const bytes = await collect(blocks, options.limits.maxDocumentBytes);
    const whole = withPlainLineEnds(decodeUtf8(bytes, options.encoding).replace(/^\uFEFF/, ''));
    const { text, title } = format === 'markdown' ? takeFrontMatter(whole) : { text: whole, title: null };
    const problem = textProblem(text, options);
    if (problem !== null) throw new RangeError(problem);
    const notes: ReadNote[] = [];
    const metadata = await sidecarMetadata(sidecar, origin, options, (note) => notes.push(note));
    yield* notes;
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

/** Takes a leading `---` block off; its `title:` line, or else the first top heading, is the title. */
function takeFrontMatter(whole: string): { text: string; title: string | null } {
  const block = /^---\r?\n(?<matter>[^]*?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(whole.slice(0, 65_536));
  const text = block === null ? whole : whole.slice(block[0].length);
  const named = /^title:[ \t]*(?<title>.+)$/m.exec(block?.groups?.['matter'] ?? '')?.groups?.['title'];
  const heading = /^# (?<title>.+)$/m.exec(text.slice(0, 65_536))?.groups?.['title'];
  const title = cutText((named ?? heading ?? '').trim().replace(/^(["'])(.*)\1$/, '$2'), 300);
  return { text, title: title === '' ? null : title };
}
