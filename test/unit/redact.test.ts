import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EmbedlineError, messageOf, redactSecrets } from '@embedline/core';
import { rememberSecrets } from '../../packages/core/src/redact.ts';

const SECRET = `s3${randomBytes(12).toString('hex')}`;
rememberSecrets([SECRET]);

test('a secret of this process is taken out where nothing beside it says that it is one', () => {
  expect(redactSecrets(`the server said ${SECRET} and closed`)).toBe('the server said [redacted] and closed');
  expect(new EmbedlineError('USAGE', `wrong: ${SECRET}`).message).toBe('wrong: [redacted]');
  expect(messageOf(new Error(SECRET))).toBe('[redacted]');
});

test('however long a text is, no part of a secret stays in it', () => {
  const filler = fc.constantFrom('a', ' ', '-', '/', '@', '😀', 'word ');
  const secret = fc.constantFrom(
    SECRET,
    `redis://user:${SECRET}@host:1`,
    `password=${SECRET}`,
    `--token ${SECRET}`,
  );
  fc.assert(
    fc.property(
      filler,
      fc.nat(9_000),
      secret,
      filler,
      fc.nat(9_000),
      (before, many, planted, after, more) => {
        const text = `${before.repeat(many)} ${planted} ${after.repeat(more)}`;
        const shown = redactSecrets(text);
        expect(shown).not.toContain(SECRET.slice(0, 8));
        expect(shown.length).toBeLessThan(8_400);
        expect(shown.isWellFormed()).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});

test('a URL without credentials, a flag without a secret and prose stay as they are', () => {
  for (const text of [
    'http://host:6333/path?a=b@c is fine',
    '--dry-run x',
    '://x@y',
    'a token of thanks',
    '-----',
  ])
    expect(redactSecrets(text)).toBe(text);
});

test('a text that is too long says how long it was', () => {
  expect(redactSecrets('word '.repeat(5_000))).toMatch(/word ?… \(25000 characters in all\)$/);
});
