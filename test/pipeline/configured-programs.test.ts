import { existsSync } from 'node:fs';
import { chmod, chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfigFile } from '../../apps/producer/src/pipeline/config-file.ts';
import { Programs } from '../../apps/producer/src/pipeline/programs.ts';
import { allowAll, ServedFile } from '../../apps/producer/src/serve/served-file.ts';
import { testBench } from '../support/cli.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const ROW = JSON.stringify({ id: 'a', text: 'a text of a program' });

/** A bench whose configuration file is JSON with a command, or code that leaves a mark when it is run. */
async function configured(kind: 'json' | 'ts' | 'mjs') {
  const bench = await testBench();
  const mark = join(bench.directory, 'mark');
  const command = ['/bin/sh', '-c', `echo ran >>'${mark}'; echo '${ROW}'`];
  const value = JSON.stringify({ pipelines: { docs: { sources: [{ command }] } } });
  const code = `import { appendFileSync } from 'node:fs'; appendFileSync(${JSON.stringify(mark)}, 'code');`;
  const text = kind === 'json' ? value : `${code}\nexport default ${value};\n`;
  await writeFile(join(bench.directory, `embedline.config.${kind}`), text);
  return { bench, mark };
}

describe('14.14: programs of a configuration file', () => {
  test('are told of before they are run, and plan says what it ran', async () => {
    const { bench, mark } = await configured('json');
    const planned = await runInProcess(bench, ['plan', 'docs']);
    expect(planned.stderr).toContain('Runs $ sh -c ');
    expect(planned.stdout).not.toContain('Nothing was written');
    expect(planned.stdout).toContain('embedline wrote nothing. It ran $ sh -c ');
    expect(planned.code).toBe(0);
    expect(existsSync(mark)).toBe(true);
    const { json } = await runInProcess(bench, ['ingest', 'docs', '--dry-run', '--json']);
    expect(json[0]?.['ran']).toEqual([expect.stringContaining('$ sh -c ')]);
  });

  test.each(['ts', 'mjs'] as const)('include the file itself when it is code: .%s', async (kind) => {
    const { bench } = await configured(kind);
    const { stderr, stdout } = await runInProcess(bench, ['plan', 'docs']);
    expect(stderr).toContain(`Runs ${bench.directory}/embedline.config.${kind}`);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      `It ran ${bench.directory}/embedline.config.${kind}, $ sh`,
    );
  });

  test.each([
    ['json', ['plan', 'docs'], /names a program to run: \$ sh -c .*--no-commands forbids that/],
    ['json', ['ingest', 'docs'], /names a program/],
    ['json', ['ingest', '--all', '--dry-run'], /names a program/],
    ['json', ['verify', 'docs'], /names a program/],
    ['json', ['serve'], /names a program/],
    ['ts', ['plan', 'docs'], /embedline\.config\.ts is a program, and --no-commands forbids that/],
    ['mjs', ['verify', '--all'], /embedline\.config\.mjs is a program/],
    ['ts', ['serve'], /embedline\.config\.ts is a program/],
    ['mjs', ['schedule', 'set', 'docs', '--cron', '0 3 * * *'], /embedline\.config\.mjs is a program/],
  ] as const)('are not run with --no-commands: .%s, %j', async (kind, args, message) => {
    const { bench, mark } = await configured(kind);
    const { code, stderr } = await runInProcess(bench, [...args, '--no-commands']);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(existsSync(mark)).toBe(false);
  });

  test('are refused to a server when the file gets them later, and hooks are programs too', async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, 'embedline.config.json');
    const write = (value: object) => writeFile(path, JSON.stringify(value));
    const harmless = { docs: { sources: ['a'] } };
    const hook = { command: ['/bin/true', 'hook'] };
    await write({ pipelines: harmless });
    const file = await loadConfigFile(directory);
    if (file === null) throw new Error('no file');
    const [told, errors]: [string[], string[]] = [[], []];
    const programs = new Programs({ forbidden: true, tell: (text) => told.push(text) });
    allowAll(file, programs);
    const served = new ServedFile(file, (message) => errors.push(message), programs);
    const schedule = { cron: '0 3 * * *' };
    for (const value of [
      { pipelines: { docs: { sources: [{ command: ['/bin/true'] }] } } },
      { pipelines: harmless, onFailure: hook },
      { pipelines: { docs: { sources: ['a'], schedule: { ...schedule, onFailure: hook } } } },
    ]) {
      await write(value);
      expect((await served.reload()).pipelines.get('docs')?.sources).toEqual(['a']);
      expect(errors.pop()).toMatch(/names a program to run: \$ true.*stays in force/s);
    }
    expect(told).toEqual([]);
  });
});

describe('14.14: a configuration file that nobody named', () => {
  // Root may give files away; another user has no other's files to find.
  const isRoot = process.getuid?.() === 0;
  const bodyOf = async (change: (directory: string, path: string) => Promise<void>) => {
    const directory = await temporaryDirectory();
    const path = join(directory, 'embedline.config.json');
    await writeFile(path, JSON.stringify({ pipelines: { docs: { sources: ['a'] } } }), { mode: 0o644 });
    await change(directory, path);
    return { directory, path };
  };

  type Change = (directory: string, path: string) => Promise<void>;
  const ofAnotherGroup: Change = async (_, path) => {
    await chmod(path, isRoot ? 0o664 : 0o666);
    if (isRoot) await chown(path, 0, 12_345);
  };
  const CHANGES: readonly (readonly [string, Change])[] = [
    ['a folder that others may write', (directory) => chmod(directory, 0o777)],
    ['a file that others may write', (_, path) => chmod(path, 0o666)],
    ['a file that another group may write', ofAnotherGroup],
  ];
  const FOREIGN: readonly (readonly [string, Change])[] = [
    ['a folder of another user', (directory) => chown(directory, 12_345, 12_345)],
    ['a file of another user', (_, path) => chown(path, 12_345, 12_345)],
  ];

  test.each([...CHANGES, ...(isRoot ? FOREIGN : [])])(
    'is refused where another may have put it: %s',
    async (_, change) => {
      const { directory, path } = await bodyOf(change);
      const found = loadConfigFile(directory);
      await expect(found).rejects.toMatchObject({ code: 'CONFIG_UNTRUSTED' });
      await expect(found).rejects.toThrow(`If you trust it, name it: --config ${path}`);
      expect((await loadConfigFile(directory, path))?.path).toBe(path);
    },
  );

  test('is taken from a folder that all may add to, if the file is this user’s', async () => {
    const { directory, path } = await bodyOf((folder) => chmod(folder, 0o1777));
    expect((await loadConfigFile(directory))?.path).toBe(path);
  });
});
