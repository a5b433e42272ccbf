import { EmbedlineError } from '../errors.ts';

const COLLECTION_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;
const GENERATION_NAME = /^(?<collection>[A-Za-z0-9][A-Za-z0-9_.-]{0,99})--g(?<number>[1-9][0-9]{0,8})$/;

/** @throws EmbedlineError USAGE when the name cannot be a public collection name in every store */
export function assertCollectionName(name: string): void {
  if (COLLECTION_NAME.test(name) && !GENERATION_NAME.test(name)) return;
  throw new EmbedlineError(
    'USAGE',
    `Collection name ${JSON.stringify(name)} is not usable: take 1 to 100 letters, digits, '_', '.' or '-', ` +
      `starting with a letter or digit, and not ending in '--g<number>' (that is how generations are named).`,
  );
}

/** The physical name of a generation, e.g. `docs--g3`. */
export function generationName(collection: string, number: number): string {
  return `${collection}--g${number}`;
}

/** The parts of a physical name, or null when it is not one. */
export function parseGenerationName(name: string): { collection: string; number: number } | null {
  const groups = GENERATION_NAME.exec(name)?.groups;
  if (groups?.['collection'] === undefined || groups['number'] === undefined) return null;
  return { collection: groups['collection'], number: Number(groups['number']) };
}
