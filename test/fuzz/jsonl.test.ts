import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readJsonl } from '../../apps/producer/src/readers/jsonl-reader.ts';
import { blockSize, hostileText, invalidUtf8, nested, seeded } from '../support/hostile.ts';
import { collect, inBlocks, RECORD_OPTIONS } from '../support/read-items.ts';

interface Line {
  readonly kind: 'document' | 'reject' | 'either' | 'blank';
  readonly bytes: Buffer;
}

const of = (kind: Line['kind']) => (written: string) => ({ kind, bytes: Buffer.from(written) });
const escaped = (json: string) =>
  json.replace(/[^ -~\t]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Members that no reader has to care about, as long as they are not the ones that are kept. */
const stray = fc.constantFrom(
  '',
  ',"n":9007199254740993',
  ',"n":1e999,"n":-1e-999',
  ',"n":1,"n":2',
  ',"__proto__":{"id":"other"},"constructor":{"prototype":1}',
  ',"kept":9007199254740992',
  ',"kept":["a",1.50,null,true,"9007199254740993"]',
  ',"kept":"a","kept":"\\u0061"',
  ',"Text":1,"x":{"text":"inner","id":[{"id":2}]},"y":"\\\\\\"text\\":{"',
  ',"title":7',
);
const good = fc
  .tuple(hostileText, hostileText, stray, fc.boolean(), fc.constantFrom('', ' ', '\t'))
  .map(([id, text, extra, escape, space]) => {
    const written = JSON.stringify({
      id: `i${id.replaceAll('\0', '').slice(0, 99).toWellFormed()}`,
      text: `x${text}`,
    });
    const line = `${space}${written.slice(0, -1)}${extra}}${space}`;
    return of('document')(escape ? escaped(line) : line);
  });
const bad = fc
  .constantFrom(
    '{"id":"a","text":"b"',
    '{"id":"a" "text":"b"}',
    "{'id':'a'}",
    '[1]',
    'null',
    '"x"',
    '1e999',
    '😀',
    '\0\0',
    '{"id":"a","text":"b"}{"id":"c","text":"d"}',
    '{"id":"a","text":"\\ud800"}',
    '{"id":"a","text":"\\udc00\\ud800"}',
    '{"id":"\\ud800","text":"b"}',
    '{"id":"a\\u0000","text":"b"}',
    '{"id":7.5,"text":"b"}',
    '{"id":"","text":"b"}',
    '{"text":"b"}',
    '{"__proto__":{"id":"a","text":"b"}}',
    '{"id":"a","text":["b"]}',
    '{"id":"a","id":"b","text":"b"}',
    '{"id":"a","\\u0069d":"b","text":"b"}',
    '{"id":"a","text":"b","text":"c"}',
    '{"id":"a","text":"b","text":{"c":"\\"]}"}}',
    '{"id":"a","text":"b","kept":1,"kept":2}',
    '{"id":"a","text":"b","kept":9007199254740993}',
    '{"id":"a","text":"b","kept":[1,-9007199254740993.0]}',
    '{"id":"a","text":"b","kept":12345678901234567890}',
    '{"id":"a","text":"b","kept":1e999}',
    '{"id":"a","text":"b","kept":{"a":1}}',
    '{"id":"a","text":"b","kept":"\\udead"}',
    `{"id":"a","text":"b","title":"${'t'.repeat(2001)}"}`,
    `{"id":"${'i'.repeat(1025)}","text":"b"}`,
  )
  .map(of('reject'));
const deep = fc.constantFrom(
  of('reject')('['.repeat(10_000)),
  of('reject')('{"a":'.repeat(10_000)),
  of('reject')(nested('[', ']')),
  of('reject')(`{"id":"a","text":"b","kept":${nested('[', ']')}}`),
  of('reject')(`{"id":${nested('{"a":', '}')},"text":"b"}`),
  of('document')('{"id":"a","text":" \\u2028\\ufeff\\n"}'),
  of('document')('\u{FEFF}{"id":"a","text":"b"}'),
  of('document')(`{"id":"a","x":${nested('{"text":', '}', 8000)},"text":"b"}`),
  of('reject')(`{"id":"a","text":"${'y'.repeat(80_000)}"}`),
  of('document')(`{"id":"a","text":"${'\\"\\\\'.repeat(15_000)}"}`),
);
const broken = fc.tuple(invalidUtf8, fc.boolean()).map(([bytes, raw]): Line => {
  const around = raw ? ['', ''] : ['{"id":"a","text":"', '"}'];
  return {
    kind: 'reject',
    bytes: Buffer.concat([Buffer.from(around[0] ?? ''), bytes, Buffer.from(around[1] ?? '')]),
  };
});
const blank = fc.constantFrom('', ' ', '\t\t', '\u2028', '\u00a0\u3000', '\uFEFF', '\r').map(of('blank'));
const noise = fc.uint8Array({ maxLength: 30 }).map((bytes): Line => ({
  kind: 'either',
  bytes: Buffer.from(bytes.map((byte) => (byte === 10 ? 33 : byte))),
}));
const line = fc.oneof(
  { weight: 20, arbitrary: good },
  { weight: 20, arbitrary: bad },
  { weight: 6, arbitrary: broken },
  { weight: 6, arbitrary: blank },
  { weight: 6, arbitrary: noise },
  { weight: 1, arbitrary: deep },
);

/** What `String.prototype.trim` leaves nothing of is blank, and so are bytes that are not there. */
function isBlank({ bytes }: Line): boolean {
  return (
    bytes.every((byte) => byte !== 0) &&
    Buffer.from(bytes.toString('utf8')).equals(bytes) &&
    bytes.toString('utf8').trim() === ''
  );
}

test('every line of JSONL that is not blank is a document or a reject that names it, 2,500 cases', async () => {
  const property = fc.asyncProperty(
    fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n')), { maxLength: 10 }),
    blockSize,
    fc.boolean(),
    async (lines, size, mark) => {
      const head = Buffer.from(`${mark ? '\uFEFF' : ''}{"id":"first","text":"The first."}\n`);
      const bytes = Buffer.concat([
        head,
        ...lines.flatMap(([{ bytes: own }, end]) => [own, Buffer.from(end)]),
      ]);
      const { documents, rejects, problem } = await collect(
        readJsonl(inBlocks(bytes, size), 'f.jsonl', { ...RECORD_OPTIONS, strictMetadata: true }),
      );
      expect(problem).toBeNull();
      const read = new Set(documents.map(({ origin }) => origin.line));
      const rejected = new Set(rejects.map(({ origin }) => origin?.line));
      expect(read.size + rejected.size).toBe(documents.length + rejects.length);
      const expected = lines.map(([own], index) => {
        if (own.kind !== 'either') return [index + 2, own.kind];
        if (isBlank(own)) return [index + 2, 'blank'];
        return [index + 2, read.has(index + 2) ? 'document' : 'reject'];
      });
      const found = lines.map((_, index) => [
        index + 2,
        read.has(index + 2) ? 'document' : rejected.has(index + 2) ? 'reject' : 'blank',
      ]);
      expect(found).toEqual(expected);
      expect(read.has(1)).toBe(true);
      for (const { id, text, origin, metadata } of documents) {
        if (origin.line === undefined || origin.line === 1) continue;
        const own = lines[origin.line - 2]?.[0].bytes.toString('utf8').replace(/^\uFEFF/, '') ?? '';
        expect(JSON.parse(own)).toMatchObject({ id, text, ...metadata });
        expect(Object.keys(metadata).every((name) => name === 'kept')).toBe(true);
      }
      for (const { reason, origin, excerpt } of rejects) {
        expect(origin?.file).toBe('f.jsonl');
        expect(reason).not.toBe('');
        expect(reason.length).toBeLessThan(400);
        expect(`${reason}${excerpt ?? ''}`.isWellFormed()).toBe(true);
      }
    },
  );
  await fc.assert(property, seeded(2500));
});
