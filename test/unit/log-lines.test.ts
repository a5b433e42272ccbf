import { Writable } from 'node:stream';
import { createLogger, EmbedlineError } from '@embedline/core';
import { expect, test } from 'vitest';

function log(isTTY: boolean) {
  let text = '';
  const stream = Object.assign(
    new Writable({
      write: (block: Buffer, _encoding, done) => {
        text += block.toString();
        done();
      },
    }),
    { isTTY },
  );
  return { logger: createLogger({ name: 'test', level: 'info', stream }), text: () => text };
}

// oxlint-disable-next-line no-control-regex -- colours are what is taken out
const plain = (text: string) => text.replaceAll(/\u001b\[\d+m/g, '');

test('on a terminal, a line of the log is read by people', () => {
  const { logger, text } = log(true);
  logger.warn({ workerId: 'a-1', batches: 3, reason: 'two words' }, 'Something happened');
  expect(plain(text())).toMatch(
    /^\d\d:\d\d:\d\d WARN {2}Something happened {2}workerId=a-1 batches=3 reason="two words"\n$/,
  );
});

test('elsewhere it is JSON', () => {
  const { logger, text } = log(false);
  logger.warn({ batches: 3 }, 'Something happened');
  expect(JSON.parse(text())).toMatchObject({
    level: 40,
    batches: 3,
    msg: 'Something happened',
    name: 'test',
  });
});

test('nothing in a line moves the cursor of a terminal', () => {
  const { logger, text } = log(true);
  logger.info({ file: 'a\u001b[2Jb\nc' }, 'evil\u001b]0;title\u0007\rname');
  expect(plain(text()).trimEnd()).not.toMatch(/\p{Cc}/u);
});

test('an error on purpose is its message, an unforeseen one has its stack; neither has a secret', () => {
  const { logger, text } = log(true);
  logger.error({ err: new EmbedlineError('USAGE', 'Not like this.') }, 'It failed');
  logger.error({ err: new TypeError('at redis://user:hunter22@host') }, 'It failed');
  const lines = plain(text()).split('\n');
  expect(lines.slice(0, 2)).toEqual([expect.stringContaining('It failed'), '  Not like this.']);
  expect(lines[3]).toContain('TypeError');
  expect(lines.some((line) => line.includes('log-lines.test.ts'))).toBe(true);
  expect(text()).not.toContain('hunter22');
});

test('a full disk behind the log ends nothing', async () => {
  const stream = new Writable({
    write: (_block, _encoding, done) => done(Object.assign(new Error('full'), { code: 'ENOSPC' })),
  });
  const logger = createLogger({ name: 'test', level: 'info', stream });
  logger.info('one');
  await new Promise((resolve) => setImmediate(resolve));
  logger.info('two');
  await new Promise((resolve) => setImmediate(resolve));
  expect(stream.errored).toMatchObject({ code: 'ENOSPC' });
});
