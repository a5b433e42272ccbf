/** What a chunk's vector is made from, behind the model's own prefix: its text, and its title above it where asked for. */
export function embeddedText(
  { title, text }: { readonly title: string | null; readonly text: string },
  embedTitle: boolean,
): string {
  return embedTitle && title !== null ? `${title}\n\n${text}` : text;
}
