/** The first so many UTF-16 units of a text, one fewer where that would halve a character. */
export function cutText(text: string, length: number): string {
  const last = text.charCodeAt(length - 1);
  const halved = text.length > length && last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, halved ? length - 1 : length);
}
