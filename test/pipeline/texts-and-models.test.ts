import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { jsonl, testBench } from '../support/cli.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const tiny = fileURLToPath(new URL('../fixtures/tiny-models', import.meta.url));

/** A bench whose model knows twelve words, takes 32 tokens, and has a prompt for each side. */
async function benchWithTinyModel() {
  const modelsDirectory = await temporaryDirectory();
  await cp(join(tiny, 'steady'), join(modelsDirectory, 'steady'), { recursive: true });
  return testBench({ EMBEDLINE_MODELS: modelsDirectory });
}

const RECORDS = [
  { id: 'known', title: 'About it', text: 'hello world about it' },
  { id: 'invisible', text: '\u200b\u200c\u0001' },
  { id: 'unknown', text: 'wholly unheard of words' },
  { id: 'long', title: 'lines', text: 'the quick brown fox . '.repeat(30) },
];
const FLAGS = ['docs.jsonl', '--collection', 'docs', '--model', 'steady', '--json'];

test('invisible text is a dead letter, unknown tokens are counted, nothing is truncated (issue 13, B3 to B6)', async () => {
  const bench = await benchWithTinyModel();
  await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(RECORDS));
  const planned = await runInProcess(bench, ['plan', ...FLAGS]);
  expect(planned.json.at(-1)).toMatchObject({
    deadLetters: 1,
    unknownTokens: { of: 158, unknown: 4, share: 0.0253 },
  });
  const ingested = await bench.run(['ingest', ...FLAGS, '--workers', '1']);
  expect(ingested, ingested.stderr).toMatchObject({ code: 3 });
  expect(ingested.json.at(-1)).toMatchObject({
    deadLetters: 1,
    truncated: 0,
    unknownTokens: { of: 158, unknown: 4 },
  });
  const letters = await bench.run(['failed', 'list', '--json']);
  expect(letters.json).toMatchObject([
    { code: 'RECORD_INVALID', documentId: 'invisible', origin: { file: 'docs.jsonl', line: 2 } },
  ]);
  expect(letters.stdout).toContain('only zero-width, control or other invisible characters');
  const verified = await runInProcess(bench, ['verify', ...FLAGS]);
  expect(verified.json.at(-1)).toMatchObject({ verdict: 'unknown', vectors: { truncated: 0, wrong: [] } });
  expect(verified.code).toBe(3);
});

test('mostly unknown text is warned of, with the remedy, in plan, summary and doctor (issue 13, B6)', async () => {
  const bench = await benchWithTinyModel();
  await mkdir(join(bench.directory, 'thai'));
  await writeFile(join(bench.directory, 'thai', 'a.txt'), 'ภาษาไทย '.repeat(20));
  const pipelines = { thai: { sources: ['thai'], model: 'steady' } };
  await writeFile(join(bench.directory, 'embedline.config.json'), JSON.stringify({ pipelines }));
  const planned = await runInProcess(bench, ['plan', 'thai']);
  expect(planned.stdout).toMatch(/100\.0 % of the tokens are unknown to this model.*Take another model/);
  const ingested = await bench.run(['ingest', 'thai', '--workers', '1']);
  expect(ingested.stdout).toMatch(/100\.0 % of the tokens are unknown to this model/);
  const doctor = await bench.run(['doctor', '--json']);
  expect(doctor.stdout).toMatch(
    /texts of thai.*warning.*100\.0 % of the tokens are unknown|100\.0 % of the tokens/,
  );
});

test('--embed-title embeds titles above texts, within the length of a chunk (issue 13, B4)', async () => {
  const bench = await benchWithTinyModel();
  const records = [
    { id: 'a', title: 'quick fox', text: 'hello world' },
    { id: 'b', title: 'about lines', text: 'hello world' },
  ];
  await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(records));
  const flags = [...FLAGS, '--embed-title'];
  const ingested = await bench.run(['ingest', ...flags, '--workers', '1']);
  expect(ingested.json.at(-1)).toMatchObject({ chunks: { embedded: 2 }, truncated: 0 });
  const search = ['search', 'quick fox', '--collection', 'docs', '--json'];
  const { json } = await runInProcess(bench, search);
  expect(json.map(({ documentId }) => documentId)).toEqual(['a', 'b']);
  expect(json[0]?.['score']).not.toBe(json[1]?.['score']);
  expect((await runInProcess(bench, ['verify', ...flags])).json.at(-1)).toMatchObject({ sound: true });
  const without = await runInProcess(bench, ['plan', ...FLAGS]);
  expect(without.json.at(-1)).toMatchObject({ writes: { how: 'build' }, chunks: { embedded: 1, reused: 1 } });

  const invisible = await runInProcess(bench, ['search', '\u200b\u0001', '--collection', 'docs']);
  expect(invisible.code).toBe(2);
  expect(invisible.stderr).toContain('nothing that the model can read');
  const long = await runInProcess(bench, ['search', 'fox '.repeat(40), '--collection', 'docs']);
  expect(long).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('longer than the 32 tokens') as string,
  });
});
