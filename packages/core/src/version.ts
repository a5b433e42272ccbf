import { readFileSync } from 'node:fs';

/** The version of embedline, as its package says. */
export const VERSION: string = readVersion();

/** By hand: `--version` and `--help` load no schema library for one field. */
function readVersion(): string {
  const file = new URL('../package.json', import.meta.url);
  const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) {
    const { version } = manifest;
    if (typeof version === 'string') return version;
  }
  throw new Error('The package.json of @embedline/core has no version. Install embedline again.');
}
