import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { failureHookSchema, type FailureHookInput } from '../../apps/producer/src/pipeline/failure-hook.ts';
import { FailureHooks } from '../../apps/producer/src/serve/failure-hooks.ts';
import { failureReport } from '../../apps/producer/src/serve/failure-report.ts';
import { limitLines } from '../../apps/producer/src/serve/limit-lines.ts';
import { temporaryDirectory, until } from '../support/temporary.ts';
import { readFile } from 'node:fs/promises';

const RESULT = {
  outcome: 'failed',
  kind: 'scheduled',
  runId: 'run-1',
  scheduledForMs: 0,
  startedAtMs: 1_000,
  endedAtMs: 2_000,
  message: 'redis://user:hunter2hunter2@host is away',
} as const;

function reportOf(code?: string, outcome: 'failed' | 'dead-letters' = 'failed') {
  const execution = { outcome, runId: 'run-1', message: null, code, summary: { type: 'summary' } };
  const report = failureReport({ pipeline: 'docs' }, { ...RESULT, outcome }, execution);
  if (report === null) throw new Error('nothing to tell');
  return report;
}

function hooks() {
  const [told, errors]: [string[], string[]] = [[], []];
  const all = new FailureHooks({
    onTold: (pipeline) => told.push(pipeline),
    onError: (message) => errors.push(message),
    firstPauseMs: 5,
  });
  onTestFinished(() => all.close());
  const tell = async (input: FailureHookInput, directory = '/', report = reportOf()) => {
    const before = told.length + errors.length;
    all.tell(failureHookSchema.parse(input), report, directory);
    await until('it has been tried', () => told.length + errors.length > before);
  };
  return { all, tell, told, errors };
}

/** A program that does what its text says with its `input`, the report. */
async function program(text: string): Promise<{ directory: string; command: string[] }> {
  const directory = await temporaryDirectory();
  const head = `import { appendFileSync, readFileSync } from 'node:fs'; const input = readFileSync(0, 'utf8');`;
  await writeFile(join(directory, 'hook.mjs'), `${head}\n${text}`);
  return { directory, command: [process.execPath, 'hook.mjs'] };
}

async function webhook(statuses: readonly number[]) {
  const requests: { request: IncomingMessage; body: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      requests.push({ request, body });
      response.writeHead(statuses[requests.length - 1] ?? 200, { location: 'http://127.0.0.1:1/' }).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { requests, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/T0/secret-part` };
}

afterEach(() => void vi.unstubAllEnvs());

describe('a failure hook that is a command', () => {
  test('reads the report, in the folder of the file, with the variables that are named and no others', async () => {
    vi.stubEnv('ALERT_TOKEN', 'alert-token-value');
    vi.stubEnv('REDIS_URL', 'redis://:password-of-redis@host');
    const { directory, command } = await program(
      `appendFileSync('told', input); appendFileSync('env', Object.keys(process.env).sort().join());`,
    );
    const { tell, told } = hooks();
    await tell({ command, environment: ['ALERT_TOKEN'] }, directory, reportOf('DELETE_GUARD'));
    expect(told).toEqual(['docs']);
    const text = await readFile(join(directory, 'told'), 'utf8');
    expect(text).toMatch(/\}\n$/);
    expect(JSON.parse(text)).toMatchObject({
      type: 'ingest-failed',
      version: 1,
      pipeline: 'docs',
      kind: 'scheduled',
      reason: 'guard',
      code: 'DELETE_GUARD',
      message: 'redis://[redacted]@host is away',
      run: 'run-1',
      scheduledFor: '1970-01-01T00:00:00.000Z',
      endedAt: '1970-01-01T00:00:02.000Z',
      summary: { type: 'summary' },
      leftOut: 0,
    });
    const names = (await readFile(join(directory, 'env'), 'utf8')).split(',');
    expect(names).toEqual(expect.arrayContaining(['ALERT_TOKEN', 'PATH']));
    expect(names).not.toContain('REDIS_URL');
  });

  test('is tried again, then given up on with what it said', async () => {
    const { directory, command } = await program(
      `appendFileSync('tries', 'x'); console.error('mail is down, password=hunter2hunter2'); process.exit(7);`,
    );
    const { tell, errors } = hooks();
    await tell({ command, attempts: 2 }, directory);
    expect(await readFile(join(directory, 'tries'), 'utf8')).toBe('xx');
    expect(errors).toEqual([
      expect.stringMatching(
        /docs was tried 2 times in vain: it ended with code 7: mail is down, password=\[redacted\]/,
      ),
    ]);
  });

  test('that hangs is ended, with what it has started; one that is not there is not tried again', async () => {
    const { directory, command } = await program(`setInterval(() => {}, 1000);`);
    const { tell, errors } = hooks();
    await tell({ command, attempts: 1, timeoutMs: 300 }, directory);
    await tell({ command: ['no-such-program'], attempts: 10 }, directory);
    expect(errors).toEqual([
      expect.stringMatching(/tried once in vain: it took more than 300 ms/),
      expect.stringMatching(/tried once in vain: there is no program no-such-program/),
    ]);
  });

  test('that does not read its input is told all the same', async () => {
    const { tell, told } = hooks();
    await tell({ command: ['true'] });
    expect(told).toEqual(['docs']);
  });
});

describe('a failure hook that is a webhook', () => {
  test('is sent the report as JSON, with headers from the environment, until it takes it', async () => {
    vi.stubEnv('ALERT_AUTH', 'Bearer alert-token');
    const { requests, url } = await webhook([503, 429, 204]);
    const { tell, told } = hooks();
    await tell({ webhook: url, headers: { authorization: 'ALERT_AUTH' } }, '/', reportOf('RUN_LOST'));
    expect(told).toEqual(['docs']);
    expect(requests).toHaveLength(3);
    expect(requests[2]?.request).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer alert-token' },
    });
    expect(JSON.parse(requests[2]?.body ?? '')).toMatchObject({ pipeline: 'docs', reason: 'lost' });
  });

  test.each([400, 302])(
    'that answers %i is not asked again, and its address is not shown',
    async (status) => {
      const { requests, url } = await webhook([status]);
      const { tell, errors } = hooks();
      await tell({ webhook: url });
      expect(requests).toHaveLength(1);
      expect(errors[0]).toMatch(new RegExp(`127\\.0\\.0\\.1:\\d+ answered ${status}$`));
      expect(errors[0]).not.toMatch(/secret-part/);
    },
  );

  test('that is not there, or lacks the variable of a header, is said', async () => {
    const { tell, errors } = hooks();
    await tell({ webhook: 'http://127.0.0.1:1/x', attempts: 2 });
    await tell({ webhook: 'http://127.0.0.1:1/x', headers: { authorization: 'NO_SUCH_VARIABLE' } });
    expect(errors).toEqual([
      expect.stringMatching(/tried 2 times in vain: 127\.0\.0\.1:1 was not reached/),
      expect.stringMatching(/header authorization is to come from NO_SUCH_VARIABLE, which is not set/),
    ]);
  });
});

test('a failure hook is told so often an hour, and then how many failures were left out', async () => {
  const { requests, url } = await webhook([]);
  const { tell, told, errors } = hooks();
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  for (let time = 0; time < 4; time += 1) await tell({ webhook: url, maxPerHour: 2 });
  expect([told.length, errors.length]).toEqual([2, 2]);
  expect(errors[0]).toMatch(/told 2 times within an hour: this failure is left out/);
  vi.setSystemTime(Date.now() + 3_600_001);
  await tell({ webhook: url, maxPerHour: 2 });
  expect(JSON.parse(requests[2]?.body ?? '')).toMatchObject({ leftOut: 2 });
});

test('a report under way does not hold up a server that stops', async () => {
  const { all, errors } = hooks();
  all.tell(failureHookSchema.parse({ webhook: 'http://127.0.0.1:1/x', attempts: 10 }), reportOf(), '/');
  await all.close();
  expect(errors).toHaveLength(1);
});

test('a server that stops between two attempts starts no other one', async () => {
  const { directory, command } = await program(
    `appendFileSync('attempts', 'x'); if (readFileSync('attempts', 'utf8') === 'x') process.exit(1); setInterval(() => {}, 1000);`,
  );
  const errors: string[] = [];
  const all = new FailureHooks({
    onTold: () => undefined,
    onError: (message) => errors.push(message),
    firstPauseMs: 60_000,
  });
  const attempts = () => readFile(join(directory, 'attempts'), 'utf8').catch(() => '');
  all.tell(failureHookSchema.parse({ command, attempts: 3 }), reportOf(), directory);
  await until('it has been tried once', async () => (await attempts()) === 'x');
  await all.close();
  expect(await attempts()).toBe('x');
  expect(errors).toEqual([expect.stringMatching(/in vain: the server stops/)]);
});

describe('what is told', () => {
  test('an ingest that is done or was skipped is not; one with dead letters is, as such', () => {
    const done = { outcome: 'done', runId: null, message: null } as const;
    expect(failureReport({ pipeline: 'docs' }, { ...RESULT, outcome: 'done' }, done)).toBe(null);
    const locked = { outcome: 'locked', message: 'x' } as const;
    expect(failureReport({ pipeline: 'docs' }, { ...RESULT, outcome: 'skipped' }, locked)).toBe(null);
    expect(reportOf(undefined, 'dead-letters').reason).toBe('dead-letters');
    expect([reportOf('PUBLISH_GUARD').reason, reportOf('STORE_FULL').reason]).toEqual(['guard', 'failed']);
  });

  test.each([
    [{}, /either command or webhook/],
    [{ command: ['x'], webhook: 'https://x' }, /either command or webhook/],
    [{ webhook: 'ftp://x' }, /starts with https/],
    [{ webhook: 'https://user:password@x' }, /no user and password in the URL/],
    [{ webhook: 'https://x', environment: ['A'] }, /goes with command only/],
    [{ command: [] }, /at least a program/],
  ])('%j is refused', (hook, message) => {
    expect(failureHookSchema.safeParse(hook).error?.message).toMatch(message);
  });
});

test('lines are limited to so many a minute, and what was left out is counted', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const lines: string[] = [];
  const limited = limitLines({ perMinute: 4, report: (line) => lines.push(line) });
  for (let time = 0; time < 100; time += 1)
    for (const line of [`tried ${time} times`, `a${'b'.repeat(time)}`]) limited.add(line);
  expect(lines).toEqual(['tried 0 times', 'a', 'ab']);
  vi.advanceTimersByTime(60_000);
  expect(lines.at(-1)).toBe('197 more lines like these were left out.');
  limited.add('tried 100 times');
  limited.close();
  expect(lines).toHaveLength(5);
});
