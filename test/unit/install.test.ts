import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { temporaryDirectory, until } from '../support/temporary.ts';

const scripts = fileURLToPath(new URL('../../scripts/', import.meta.url));
const { NODE_PACKAGE } = z
  .object({ NODE_PACKAGE: z.string() })
  .parse(await import(join(scripts, 'run-with-node24.mjs')));
const LOCK = '.embedline-install.lock';

/** A clone whose npm takes as long as the file `block` is there, and notes each of its starts. */
async function clone() {
  const root = await temporaryDirectory();
  await mkdir(join(root, 'scripts'));
  for (const file of await readdir(scripts)) await copyFile(join(scripts, file), join(root, 'scripts', file));
  await mkdir(join(root, 'apps/producer/src'), { recursive: true });
  await writeFile(join(root, 'apps/producer/src/demo.ts'), "console.log('the program runs');\n");
  for (const file of ['package.json', 'package-lock.json']) await writeFile(join(root, file), '{}');
  const bin = join(root, 'bin');
  await mkdir(bin);
  await writeFile(
    join(bin, 'npm'),
    `#!/usr/bin/env bash
echo $$ >>npm.starts
mkdir -p node_modules/${NODE_PACKAGE}/bin
echo half >node_modules/half
sleep_until_free() { while [ -e block ]; do sleep 0.05; done; }
sleep_until_free & wait
echo "$@" >npm.arguments
echo '{"name":"${NODE_PACKAGE}"}' >node_modules/${NODE_PACKAGE}/package.json
ln -sf '${process.execPath}' node_modules/${NODE_PACKAGE}/bin/node
echo '{"packages":{"node_modules/${NODE_PACKAGE}":{}}}' >node_modules/.package-lock.json
`,
  );
  await chmod(join(bin, 'npm'), 0o755);
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` };
  const npmStarts = async () => {
    const text = await readFile(join(root, 'npm.starts'), 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map(Number);
  };
  onTestFinished(async () => {
    await rm(join(root, 'block'), { force: true });
  });
  return {
    root,
    lock: join(root, LOCK),
    npmStarts,
    block: () => writeFile(join(root, 'block'), ''),
    unblock: () => rm(join(root, 'block')),
    start: () => {
      const child = spawn(process.execPath, ['scripts/bootstrap.mjs', 'start'], {
        cwd: root,
        env,
        stdio: 'pipe',
      });
      onTestFinished(() => void child.kill('SIGKILL'));
      return running(child);
    },
  };
}

function running(child: ChildProcess) {
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (text: Buffer) => (output += text.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, output: () => output, ended };
}

const owner = (fields: object) =>
  JSON.stringify({
    pid: 1,
    space: 'elsewhere',
    started: null,
    host: 'far',
    user: 'ann',
    since: 'noon',
    npm: null,
    ...fields,
  });

test('two starts at once install once, and the one that waits is told for whom', async () => {
  const { start, block, unblock, npmStarts } = await clone();
  await block();
  const first = start();
  await until('npm runs', async () => (await npmStarts()).length === 1);
  const second = start();
  await until('the second waits', () =>
    second.output().includes(`Waiting for another install in this folder: process ${first.child.pid} of `),
  );
  await unblock();
  expect(await Promise.all([first.ended, second.ended])).toEqual([0, 0]);
  expect(first.output()).toContain('the program runs');
  expect(second.output()).toContain('the program runs');
  expect(await npmStarts()).toHaveLength(1);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  '%s during the install ends npm with all it has started, and leaves no lock',
  async (signal, code) => {
    const { start, block, unblock, npmStarts, lock } = await clone();
    await block();
    const first = start();
    await until('npm runs', async () => (await npmStarts()).length === 1);
    first.child.kill(signal);
    expect(await first.ended).toBe(code);
    expect(first.output()).toContain('Run this again');
    expect(existsSync(lock)).toBe(false);
    const [npm = 0] = await npmStarts();
    await until('its process group is gone', () => !isAlive(-npm));
    await unblock();
    const second = start();
    expect(await second.ended).toBe(0);
    expect(second.output()).toContain('the program runs');
  },
);

test('an install that was killed is taken over at once, and its npm is ended first', async () => {
  const { start, block, unblock, npmStarts, lock } = await clone();
  await block();
  const first = start();
  await until('npm is known', async () => (await readFile(lock, 'utf8').catch(() => '')).includes('"npm":{'));
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  const [npm = 0] = await npmStarts();
  process.kill(npm, 0);
  const second = start();
  await until('it takes over', async () => (await npmStarts()).length === 2);
  expect(second.output()).toContain(
    `Taking over from an install that did not end: process ${first.child.pid} of `,
  );
  await until('the old npm has ended', () => !isAlive(npm));
  await unblock();
  expect(await second.ended).toBe(0);
  expect((await readdir(join(lock, '..'))).filter((name) => name.startsWith(LOCK))).toEqual([]);
});

test('what a stopped install left is not taken for a complete one, whatever stamp it has', async () => {
  const { root, start, npmStarts } = await clone();
  expect(await start().ended).toBe(0);
  expect(await start().ended).toBe(0);
  expect(await npmStarts()).toHaveLength(1);
  expect(await readFile(join(root, 'npm.arguments'), 'utf8')).toContain('--ignore-scripts');
  await rm(join(root, 'node_modules', NODE_PACKAGE), { recursive: true });
  expect(await start().ended).toBe(0);
  await rm(join(root, 'node_modules/.package-lock.json'));
  expect(await start().ended).toBe(0);
  expect(await npmStarts()).toHaveLength(3);
});

test('a process ID that another program has by now owns nothing', async () => {
  const { start, lock, block, unblock, npmStarts, root } = await clone();
  await block();
  const first = start();
  await until('npm is known', async () => (await readFile(lock, 'utf8').catch(() => '')).includes('"npm":{'));
  const taken = JSON.parse(await readFile(lock, 'utf8')) as object;
  first.child.kill('SIGTERM');
  await first.ended;
  await unblock();
  await rm(join(root, 'npm.starts'));
  await writeFile(lock, JSON.stringify({ ...taken, pid: process.pid, started: '1', npm: null }));
  expect(await start().ended).toBe(0);
  expect(await npmStarts()).toHaveLength(1);
});

/** The lock's own waiting times are long: a process that watches it is given short ones. */
async function take(lock: string, silentMs: number) {
  const program = `
    import { takeInstallLock } from ${JSON.stringify(new URL('../../scripts/install-lock.mjs', import.meta.url).href)};
    const tell = (text) => console.log(text);
    const lock = await takeInstallLock(${JSON.stringify(lock)}, { tell, silentMs: ${silentMs}, namelessMs: ${silentMs} });
    console.log('taken');
    lock.release();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'pipe' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return running(child);
}

test.each([
  ['empty', (lock: string) => writeFile(lock, '')],
  ['damaged', (lock: string) => writeFile(lock, '{"pid":')],
  ['of an older version', (lock: string) => mkdir(lock)],
  ['of another container that is gone', (lock: string) => writeFile(lock, owner({}))],
])('a lock that is %s is taken over when it stays silent', async (_, leave) => {
  const lock = join(await temporaryDirectory(), 'lock');
  await leave(lock);
  const { ended, output } = await take(lock, 100);
  expect(await ended).toBe(0);
  expect(output()).toContain('Taking over from an install that did not end');
  expect(output()).toContain('taken');
});

test('a lock of another container that shows that it lives is waited for, by name', async () => {
  const lock = join(await temporaryDirectory(), 'lock');
  await writeFile(lock, owner({ user: 'ann\u001b[31m' }));
  let beat = 0;
  const heart = setInterval(() => void utimes(lock, 1, (beat += 1)).catch(() => undefined), 20);
  onTestFinished(() => clearInterval(heart));
  const { ended, output } = await take(lock, 2_000);
  await until('it waits', () =>
    output().includes('Waiting for another install in this folder: process 1 of ann?[31m on far, since noon'),
  );
  await until('it has beaten on', () => beat > 20);
  expect(output()).not.toContain('taken');
  await rm(lock);
  expect(await ended).toBe(0);
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
