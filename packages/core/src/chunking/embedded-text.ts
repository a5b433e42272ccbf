import { withPlainLineEnds } from './line-ends.ts';

/**
 * What a chunk's vector is made from, behind the model's own prefix: its text, and its title above it where asked for. Line ends
 * are LF, however the source writes them.
 */
export function embeddedText(
  { title, text }: { readonly title: string | null; readonly text: string },
  embedTitle: boolean,
): string {
  const plain = withPlainLineEnds(text);
  return embedTitle && title !== null ? `${title}\n\n${plain}` : plain;
}
