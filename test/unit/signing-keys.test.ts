import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  encodeJob,
  loadConfig,
  openJob,
  parseSigningKeys,
  redactSecrets,
  sealJob,
  SigningKeys,
  withSignature,
  isSigned,
} from '@embedline/core';
import { chunkOf } from '../support/points.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const [OLD, NEW] = [randomBytes(32), randomBytes(48)];
const keysOf = (secrets: Buffer[], encryptsTexts = false) => new SigningKeys(secrets, { encryptsTexts });
const JOB = encodeJob('run-1', 3, [chunkOf('a', 'A private text.', { metadata: { 2: 'x', year: -0 } })]);
const stored = (value: object) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
const refused = expect.objectContaining({ code: 'SIGNATURE_REFUSED' });

describe('14.3 signing keys', () => {
  test.each([
    ['hex', OLD.toString('hex'), 1],
    ['base64', OLD.toString('base64'), 1],
    ['base64url', OLD.toString('base64url'), 1],
    ['several, with blanks and a line end', `${OLD.toString('hex')} , ${NEW.toString('base64')}\n`, 2],
  ])('are read from %s', (_, text, count) => {
    const keys = parseSigningKeys(text);
    expect(keys).toHaveLength(count);
    expect(keys[0]?.equals(OLD)).toBe(true);
  });

  test.each([
    '',
    'short',
    'a'.repeat(62),
    OLD.toString('hex').slice(2),
    `${OLD.toString('hex')},`,
    '§'.repeat(64),
  ])('that could be guessed, or are none, are refused without repeating them: %j', (text) => {
    expect(() => loadConfig({ REDIS_URL: 'redis://a', EMBEDLINE_SIGNING_KEY: text || ' ' })).toThrow(
      /EMBEDLINE_SIGNING_KEY: key \d of \d is not 32 bytes or more.*openssl rand -hex 32/,
    );
  });

  test('come from a file, are kept out of messages, and are needed to encrypt', async () => {
    const file = join(await temporaryDirectory(), 'key');
    await writeFile(file, `${OLD.toString('hex')}\n`);
    const env = { REDIS_URL: 'redis://a', EMBEDLINE_SIGNING_KEY_FILE: file, EMBEDLINE_ENCRYPT_TEXTS: '1' };
    expect(loadConfig(env).signingKeys?.encryptsTexts).toBe(true);
    expect(redactSecrets(`x ${OLD.toString('hex')} y`)).toBe('x [redacted] y');
    expect(() => loadConfig({ ...env, EMBEDLINE_SIGNING_KEY: NEW.toString('hex') })).toThrow(/Remove one/);
    expect(() => loadConfig({ REDIS_URL: 'redis://a', EMBEDLINE_ENCRYPT_TEXTS: '1' })).toThrow(/needs a key/);
    expect(() => loadConfig({ ...env, EMBEDLINE_SIGNING_KEY_FILE: join(file, 'x') })).toThrow(/KEY_FILE: /);
  });

  test('verify what any of them has signed, and nothing that was changed or is of another kind', () => {
    const [before, during, after] = [keysOf([OLD]), keysOf([NEW, OLD]), keysOf([NEW])];
    const signed = stored(withSignature('run', { runId: 'run-1', n: 1e21 }, before));
    expect([during, after].map((keys) => isSigned('run', signed, keys))).toEqual([true, false]);
    expect(isSigned('run', stored(withSignature('run', { x: 1 }, during)), after)).toBe(true);
    for (const change of [
      { n: 2 },
      { more: 1 },
      { signature: 'x' },
      { signature: 7 },
      { signature: undefined },
    ])
      expect(isSigned('run', { ...signed, ...change }, before)).toBe(false);
    for (const kind of ['job', 'schedule', 'ingest-request', 'retry-job'] as const)
      expect(isSigned(kind, signed, before)).toBe(false);
    expect(isSigned('run', signed, null)).toBe(false);
    expect(isSigned('run', { runId: 'run-1' }, null)).toBe(true);
  });

  test('jobs come back as they were, and only to those who have the key', () => {
    for (const encrypts of [false, true]) {
      const sealed = stored(sealJob(JOB, keysOf([OLD], encrypts)));
      expect(openJob(sealed, keysOf([NEW, OLD]))).toEqual(stored(JOB));
      expect(JSON.stringify(sealed).includes('private')).toBe(!encrypts);
      for (const keys of [null, keysOf([NEW])]) expect(() => openJob(sealed, keys)).toThrow(refused);
      expect(() => openJob({ ...sealed, batchIndex: 4 }, keysOf([OLD]))).toThrow(refused);
      expect(() => openJob({ ...sealed, runId: 'run-2' }, keysOf([OLD]))).toThrow(refused);
      expect(() => openJob(sealed, keysOf([OLD]), 'retry-job')).toThrow(refused);
    }
    expect(() => openJob(stored(JOB), keysOf([OLD]))).toThrow(refused);
  });

  test('encrypt each job with another nonce, and what is moved or cut cannot be read', () => {
    const keys = keysOf([OLD], true);
    const place = { runId: 'run-1', context: 'a' };
    const [one, two] = [keys.encrypt('A text.', place), keys.encrypt('A text.', place)];
    expect(one).not.toBe(two);
    expect(keys.decrypt(one, place)).toBe('A text.');
    for (const other of [
      { ...place, runId: 'run-2' },
      { ...place, context: 'b' },
    ])
      expect(keys.decrypt(one, other)).toBeNull();
    for (const cut of ['', 'x', one.slice(0, -2), one.slice(4)]) expect(keys.decrypt(cut, place)).toBeNull();
  });
});
