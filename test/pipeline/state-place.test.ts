import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '@embedline/core';
import { usersStateFolder } from '../../packages/core/src/state/state-location.ts';
import { jsonl, testBench } from '../support/cli.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** A user with an empty HOME and two projects of one name. */
async function user() {
  const bench = await testBench({ XDG_STATE_HOME: '' });
  const home = join(bench.directory, 'me');
  const [one, two] = [join(bench.directory, 'one', 'docs'), join(bench.directory, 'two', 'docs')];
  for (const folder of [home, one, two]) await mkdir(folder, { recursive: true });
  delete bench.env['EMBEDLINE_HOME'];
  bench.env['HOME'] = home;
  const run = (args: string[], cwd: string, env: Record<string, string> = {}) =>
    bench.start(args, env, cwd).result;
  return { bench, home, one, two, run, projects: join(home, '.local', 'state', 'embedline', 'projects') };
}

test('each project has a store of its own below the user’s, which the same command finds again', async () => {
  const { bench, one, two, run, projects } = await user();
  const pipelines = { docs: { sources: ['a.jsonl'], workers: 1 } };
  await writeFile(join(one, 'a.jsonl'), jsonl([{ id: 'a', text: 'Some text.' }]));
  await writeFile(join(one, 'embedline.config.json'), JSON.stringify({ pipelines }));
  const ingested = await run(['ingest', 'docs', '--json'], one);
  expect(ingested.code, ingested.stderr).toBe(0);
  const [project = ''] = await readdir(projects);
  expect(project).toMatch(/^docs-[0-9a-f]{12}$/);
  expect(existsSync(join(one, '.embedline'))).toBe(false);

  const list = async (cwd: string) => (await run(['collections', 'list', '--json'], cwd)).json.length;
  expect(await list(one)).toBe(1);
  expect(await list(two)).toBe(0);
  await symlink(one, join(bench.directory, 'link'));
  expect(await list(join(bench.directory, 'link'))).toBe(1);
  const again = await run(
    ['plan', 'docs', '--config', '../../one/docs/embedline.config.json', '--json'],
    two,
  );
  expect(again.json).toMatchObject([{ documents: { unchanged: 1 } }]);
});

test('an old .embedline is not used, is told of until there is a new store, and doctor names it', async () => {
  const { bench, one, run, home } = await user();
  const record = jsonl([{ id: 'a', text: 'Some text.' }]);
  await writeFile(join(one, 'a.jsonl'), record);
  const ingest = ['ingest', 'a.jsonl', '--collection', 'docs', '--workers', '1'];
  expect((await run(ingest, one, { EMBEDLINE_HOME: join(bench.directory, 'made') })).code).toBe(0);
  await cp(join(bench.directory, 'made'), join(one, '.embedline'), { recursive: true });

  const before = await run(['collections', 'list', '--json'], one);
  expect(before.json).toEqual([]);
  expect(before.stderr).toMatch(
    /\.embedline holds a store .*not used by itself.*export EMBEDLINE_HOME='.*\.embedline'/,
  );
  const doctor = await run(['doctor', '--json'], one);
  expect(doctor.stdout).toMatch(/old state folder.*EMBEDLINE_HOME/);
  const named = await run(['collections', 'list', '--json'], one, { EMBEDLINE_HOME: './.embedline' });
  expect(named.json).toHaveLength(1);
  expect(named.stderr).toBe('');

  expect((await run(ingest, one)).code).toBe(0);
  expect((await run(['collections', 'list'], one)).stderr).toBe('');
  expect(existsSync(join(home, '.local', 'state', 'embedline'))).toBe(true);
});

test.each([
  ['', /HOME is not set.*EMBEDLINE_HOME/],
  ['/proc/nowhere', /cannot be made.*EMBEDLINE_HOME/],
  ['/dev/null', /cannot be made|is not a folder/],
])('HOME=%j gives an error with the remedy', async (HOME, message) => {
  const { one, run } = await user();
  await writeFile(join(one, 'a.jsonl'), jsonl([{ id: 'a', text: 'Some text.' }]));
  const result = await run(['ingest', 'a.jsonl', '--collection', 'docs', '--workers', '1'], one, { HOME });
  expect(result.code).toBe(1);
  expect(result.stderr).toMatch(message);
  expect(await readdir(one)).toEqual(['a.jsonl']);
});

test('the base is XDG_STATE_HOME, or what the platform has for it', async () => {
  const project = await temporaryDirectory();
  const place = (env: Record<string, string>, platform?: NodeJS.Platform) =>
    usersStateFolder(env, project, platform)?.replace(/embedline.projects.*/, '');
  expect(place({ HOME: '/home/me', XDG_STATE_HOME: '/state' })).toBe('/state/');
  expect(place({ HOME: '/home/me', XDG_STATE_HOME: 'relative' }, 'linux')).toBe('/home/me/.local/state/');
  expect(place({ HOME: '/home/me' }, 'darwin')).toBe('/home/me/Library/Application Support/');
  expect(place({ HOME: 'relative' }, 'linux')).toBeUndefined();
  expect(loadConfig({ EMBEDLINE_HOME: 'x', HOME: '/home/me' }, '/here').dataDirectory).toBe('/here/x');
});
