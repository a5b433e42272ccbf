// Writes the end of NOTICE: the packages that an installation without development dependencies has, by the lockfile, with
// their licenses. `npm run notice` after a change of dependencies; test/unit/notice.test.ts fails until then.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What follows this line in NOTICE is written by this program. */
const BEGINNING = 'Packages from the npm registry that an installation has, by license:';

/**
 * @param {string} lockfile the text of package-lock.json
 * @returns {Map<string, string>} the license of each package, by name
 */
export function licensesOf(lockfile) {
  const { packages } = JSON.parse(lockfile);
  const licenses = new Map();
  for (const [path, { dev, devOptional, link, license }] of Object.entries(packages)) {
    const name = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1];
    if (name === undefined || link || dev || devOptional) continue;
    licenses.set(name, license ?? 'UNKNOWN');
  }
  return licenses;
}

/**
 * @param {string} notice the text of NOTICE
 * @param {string} lockfile the text of package-lock.json
 */
export function withPackages(notice, lockfile) {
  const [head] = notice.split(`${BEGINNING}\n`);
  const byLicense = Map.groupBy(
    [...licensesOf(lockfile)].sort(([a], [b]) => (a < b ? -1 : 1)),
    ([, license]) => license,
  );
  const groups = [...byLicense]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([license, found]) => `\n${license}\n${found.map(([name]) => `  ${name}\n`).join('')}`);
  return `${head}${BEGINNING}\n${groups.join('')}`;
}

const root = new URL('../', import.meta.url);
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lockfile = readFileSync(new URL('package-lock.json', root), 'utf8');
  const notice = readFileSync(new URL('NOTICE', root), 'utf8');
  writeFileSync(new URL('NOTICE', root), withPackages(notice, lockfile));
}
