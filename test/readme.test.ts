import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { environmentVariables } from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { testBench } from './support/cli.ts';
import { temporaryDirectory } from './support/temporary.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = await readFile(join(root, 'README.md'), 'utf8');
const commands = [...readme.matchAll(/^```sh\n([^]*?)^```/gm)]
  .flatMap(([, block]) => (block ?? '').split('\n'))
  .map((line) => line.replace(/\s+#.*$/, '').trim())
  .filter((line) => line !== '');

/** Splits as a shell does, for what the README uses: quotes and no expansions. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    (match) => match[1] ?? match[2] ?? match[3] ?? '',
  );
}

describe('README', () => {
  test('its table of environment variables is the one of the code', () => {
    for (const [name, { description, default: fallback }] of Object.entries(environmentVariables)) {
      expect(readme.replaceAll(/ {2,}/g, ' ')).toContain(`| \`${name}\` | ${description} | ${fallback} |`);
    }
  });

  // Distilling the model that ships takes half a minute of two cores.
  test(
    'its embedline commands run, one after the other, as they stand there',
    { timeout: 400_000 },
    async () => {
      // Models that are made go beside the one that ships, but not into the project.
      const models = await temporaryDirectory();
      await symlink(join(root, 'models/sentence-transformers'), join(models, 'sentence-transformers'));
      const bench = await testBench({ EMBEDLINE_MODELS: models });
      await mkdir(join(bench.directory, 'docs'));
      await writeFile(
        join(bench.directory, 'docs', 'guide.md'),
        '# Guide\n\nHow to install it on one machine.\n',
      );
      await mkdir(join(bench.directory, 'books'));
      await writeFile(join(bench.directory, 'books', 'one.txt'), 'A book about whales.');
      await writeFile(join(bench.directory, 'books', 'one.json'), '{"year":1851}');
      await writeFile(join(bench.directory, 'data.jsonl'), '{"key":"a","body":"A record."}\n');
      await writeFile(
        join(bench.directory, 'users.csv'),
        'id;text;year;zip;active\n1;A user.;1999;01234;yes\n',
      );
      const run = commands.filter((line) => line.startsWith('npx embedline '));
      expect(run.length).toBeGreaterThanOrEqual(8);
      for (const line of run) {
        const args = words(line).slice(2);
        // No worker is connected in this test: the command gets one of its own.
        const embeds = args[0] === 'ingest' && !args.includes('--workers') && !args.includes('--detach');
        const workers = embeds ? ['--workers', '1'] : [];
        const result = await bench.run([...args, ...workers]);
        expect(result, `${line}\n${result.stderr}`).toMatchObject({ code: 0 });
      }
    },
  );

  test('names no other programs than those that are there', () => {
    const known =
      /^(npm (start|test|run (check|bench))|npx embedline(-worker)? |printf |git clone |cd |docker compose |REDIS_URL=|export |for |CORPUS=)/;
    expect(commands.filter((line) => !known.test(`${line} `))).toEqual([]);
  });
});
