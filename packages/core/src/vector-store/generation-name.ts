import { EmbedlineError } from '../errors.ts';

const COLLECTION_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;
const GENERATION_NAME =
  /^(?<collection>[A-Za-z0-9][A-Za-z0-9_.-]{0,99})--g(?<number>[1-9][0-9]{0,8})-[0-9a-f]{8}$/;

/** True for a public name that every store takes. */
export function isCollectionName(name: string): boolean {
  return COLLECTION_NAME.test(name) && !GENERATION_NAME.test(name);
}

/** @throws EmbedlineError USAGE when the name cannot be a public collection name in every store */
export function assertCollectionName(name: string): void {
  if (isCollectionName(name)) return;
  throw new EmbedlineError(
    'USAGE',
    `Collection name ${JSON.stringify(name)} is not usable: take 1 to 100 letters, digits, '_', '.' or '-', ` +
      `starting with a letter or digit, and not ending in '--g<number>-<hash>' (that is how generations are named).`,
  );
}

/**
 * The physical name of a generation, e.g. `docs--g3-1f2e3d4c`. It ends in a part of the generation's identity, so that
 * no name is ever used twice: a worker that slept through a drop cannot write into a successor of the same name.
 */
export function generationName(collection: string, number: number, identity: string): string {
  return `${collection}--g${number}-${identity.slice(0, 8)}`;
}

/** The parts of a physical name, or null when it is not one. */
export function parseGenerationName(name: string): { collection: string; number: number } | null {
  const groups = GENERATION_NAME.exec(name)?.groups;
  if (groups?.['collection'] === undefined || groups['number'] === undefined) return null;
  return { collection: groups['collection'], number: Number(groups['number']) };
}
