import { cutText } from './cut-text.ts';

const MAX_CHARACTERS = 300;

/**
 * The title of a chunk: the document's, then the headings above it. A chunk that spans sections names them all, behind
 * what they have in common: `Guide > Install; Use > Search`.
 * @param sections paths of headings, outermost first, of the sections that the chunk touches, in order
 * @returns at most 300 characters, or null when there is neither a title nor a heading
 */
export function sectionTitle(
  documentTitle: string | null,
  sections: readonly (readonly string[])[],
): string | null {
  const paths = sections.map((headings) => withDocument(documentTitle, headings));
  const shared = sharedPrefix(paths);
  const rests = paths.map((path) => path.slice(shared.length).join(' > ')).filter((rest) => rest !== '');
  const parts = [...shared, ...(rests.length === 0 ? [] : [[...new Set(rests)].join('; ')])];
  const title = parts.join(' > ');
  if (title === '') return null;
  return title.length <= MAX_CHARACTERS ? title : `${cutText(title, MAX_CHARACTERS - 1)}…`;
}

/** A document that repeats its title as its first heading says it once. */
function withDocument(title: string | null, headings: readonly string[]): readonly string[] {
  return title === null || headings[0] === title ? headings : [title, ...headings];
}

function sharedPrefix(paths: readonly (readonly string[])[]): readonly string[] {
  const [first = [], ...others] = paths;
  let length = 0;
  while (length < first.length && others.every((path) => path[length] === first[length])) length += 1;
  return first.slice(0, length);
}
