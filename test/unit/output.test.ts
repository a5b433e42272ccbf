import { Writable } from 'node:stream';
import { guardOutput } from '@embedline/core';
import { expect, test } from 'vitest';

function failing(code: string) {
  return new Writable({
    write: (_block, _encoding, done) => done(Object.assign(new Error(code), { code })),
  });
}

test.each([
  ['ENOSPC', 'no space is left on its device (ENOSPC)'],
  ['EIO', 'its device or terminal is gone (EIO)'],
  ['EPIPE', null],
])('a stream that fails with %s ends nothing', async (code, failure) => {
  const stream = failing(code);
  const output = guardOutput(stream);
  stream.write('a');
  await output.flush();
  stream.write('b');
  await output.flush();
  expect(output.lost.aborted).toBe(true);
  expect(output.failure).toBe(failure);
});

test('a stream that is guarded twice has one guard; one that works is not lost', async () => {
  const stream = new Writable({ write: (_block, _encoding, done) => setImmediate(done) });
  const output = guardOutput(stream);
  expect(guardOutput(stream)).toBe(output);
  stream.write('a');
  await output.flush();
  expect(stream.writableLength).toBe(0);
  expect(output).toMatchObject({ failure: null, lost: { aborted: false } });
});
