import { withPlainLineEnds } from './line-ends.ts';

/** What of a chunk decides its vector. */
export interface Embeddable {
  readonly title: string | null;
  readonly text: string;
  /** What is embedded instead of the text; absent where that is the text itself. */
  readonly embeddedText?: string;
}

/**
 * What a chunk's vector is made from, behind the model's own prefix: its text, or what is embedded instead of it, and its
 * title above that where asked for. Line ends are LF, however the source writes them.
 */
export function embeddedText(chunk: Embeddable, embedTitle: boolean): string {
  const plain = withPlainLineEnds(chunk.embeddedText ?? chunk.text);
  return embedTitle && chunk.title !== null ? `${chunk.title}\n\n${plain}` : plain;
}
