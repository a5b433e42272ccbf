import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Corpus } from '../../apps/producer/src/readers/corpus.ts';
import { readText } from '../../apps/producer/src/readers/text-reader.ts';
import { blockSize, hostileText, invalidUtf8, seeded } from '../support/hostile.ts';
import { collect, inBlocks, RECORD_OPTIONS } from '../support/read-items.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const text = fc
  .array(fc.tuple(hostileText, fc.constantFrom('', '\n', '\r\n', '\r')), { maxLength: 12 })
  .map((parts) => Buffer.from(parts.flat().join('')));
const front = fc.constantFrom(
  '',
  '',
  '---\ntitle: "A\u202e"\n---\n',
  '---\r\ntitle: x\r\n',
  '\uFEFF# 😀\n',
  `# ${'😀'.repeat(200)}\n`,
);
const anyText = fc
  .tuple(
    front,
    text,
    fc.oneof({ weight: 5, arbitrary: fc.constant(Buffer.alloc(0)) }, { weight: 1, arbitrary: invalidUtf8 }),
  )
  .map(([head, body, tail]) => Buffer.concat([Buffer.from(head), body, tail]));

test('a text is one document or one reject, 500 cases', async () => {
  const property = fc.asyncProperty(anyText, blockSize, fc.boolean(), async (bytes, size, markdown) => {
    const named = { id: 'f', file: 'f.md', sidecar: null } as const;
    const format = markdown ? 'markdown' : 'text';
    const { documents, rejects } = await collect(
      readText(inBlocks(bytes, size), { ...named, format }, RECORD_OPTIONS),
    );
    const [document] = documents;
    const whole = bytes.toString('utf8');
    const readable = Buffer.from(whole).equals(bytes);
    expect(documents.length + rejects.length).toBe(1);
    if (document !== undefined) {
      expect(readable && whole.endsWith(document.text)).toBe(true);
      expect((document.title ?? '').isWellFormed()).toBe(true);
      if (!markdown) expect(document.text).toBe(whole.replace(/^\uFEFF/, ''));
    } else {
      if (!markdown) expect(readable && whole.trim() !== '').toBe(false);
      expect(rejects).toMatchObject([{ documentId: 'f', reason: expect.stringMatching(/./) as string }]);
    }
  });
  await fc.assert(property, seeded(500));
});

const jsonl = fc
  .array(hostileText, { minLength: 1, maxLength: 6 })
  .map((texts) =>
    texts.map((one, index) => `${JSON.stringify({ id: `${index}`, text: `x${one}` })}\n`).join(''),
  );
const csv = fc
  .array(hostileText, { minLength: 1, maxLength: 6 })
  .map(
    (texts) => `id,text\n${texts.map((one, index) => `${index},"x${one.replaceAll('"', '""')}"\n`).join('')}`,
  );

const file = fc.oneof(
  jsonl.map((content) => ({ ending: 'jsonl', content: Buffer.from(content) })),
  csv.map((content) => ({ ending: 'csv', content: Buffer.from(content) })),
  anyText.map((content) => ({ ending: 'txt', content })),
);
type Damage = 'none' | 'cut' | 'noise' | 'two' | 'padded' | 'tail' | 'bomb';
const damage = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom<Damage>('none', 'cut', 'noise', 'two', 'padded', 'tail') },
  { weight: 1, arbitrary: fc.constant<Damage>('bomb') },
);

function damaged(content: Buffer, how: Damage, at: number): Buffer {
  const packed = gzipSync(content);
  const place = Math.floor(at * packed.length);
  switch (how) {
    case 'none':
      return packed;
    case 'cut':
      return packed.subarray(0, place);
    case 'noise':
      // The checksum, which must not match any more.
      return Buffer.concat([packed.subarray(0, -8), Buffer.alloc(8, 0x5a)]);
    case 'two':
      return Buffer.concat([gzipSync(content.subarray(0, place)), gzipSync(content.subarray(place))]);
    case 'padded':
      return Buffer.concat([packed, Buffer.alloc(Math.ceil(at * 100_000))]);
    case 'tail':
      return Buffer.concat([packed, Buffer.alloc(Math.ceil(at * 100_000)), packed]);
    case 'bomb':
      return gzipSync(Buffer.concat([content, Buffer.alloc(8_000_000, 0x20)]));
  }
}

async function readAll(cwd: string) {
  const corpus = new Corpus({ ...RECORD_OPTIONS, sources: ['in'], cwd, stdin: Readable.from([]) });
  return { ...(await collect(corpus.read())), problems: corpus.problems };
}

test('a gzip is read like what it holds, or makes the reading incomplete, 250 cases', async () => {
  const cwd = await temporaryDirectory();
  const property = fc.asyncProperty(
    file,
    damage,
    fc.double({ min: 0, max: 0.999, noNaN: true }),
    async ({ ending, content }, how, at) => {
      await rm(join(cwd, 'in'), { recursive: true, force: true });
      await mkdir(join(cwd, 'in'));
      await writeFile(join(cwd, 'in', `f.${ending}`), content);
      const plain = await readAll(cwd);
      await rm(join(cwd, 'in', `f.${ending}`));
      await writeFile(join(cwd, 'in', `f.${ending}.gz`), damaged(content, how, at));
      const packed = await readAll(cwd);
      expect(packed.problem).toBeNull();
      const told = packed.told.map((one) => one.replaceAll(`f.${ending}.gz`, `f.${ending}`));
      if (how === 'none' || how === 'two' || how === 'padded') {
        expect({ ...packed, told }).toMatchObject({ problems: [], told: plain.told });
      } else if (how !== 'tail' || at > 0) {
        expect(packed.problems).toEqual([
          expect.stringMatching(
            /^in\/f\.\w+\.gz: (it is not a complete gzip|something follows|it unpacks to more)/,
          ),
        ]);
        expect(packed.rejects.at(-1)?.origin).toEqual({ file: `in/f.${ending}.gz` });
        expect(plain.told.slice(0, told.length - 1)).toEqual(told.slice(0, -1));
      }
    },
  );
  await fc.assert(property, seeded(250));
});
