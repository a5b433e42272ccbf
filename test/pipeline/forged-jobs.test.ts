import { Queue } from 'bullmq';
import {
  chunkRecordsOf,
  chunksDigest,
  encodeJob,
  jobId,
  MAX_JOB_BYTES,
  provenChunksOf,
  runKeys,
  textHash,
  type ChunkRecord,
  type EmbedJob,
  type Point,
} from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { batchFleet } from '../support/batch-fleet.ts';
import { chunkOf, MANIFEST } from '../support/points.ts';
import { until } from '../support/temporary.ts';

const RUN = { runId: 'run-1', pipeline: 'docs', model: MANIFEST.model };
const OTHER_MARK = { fingerprint: 'a'.repeat(32), chunkCount: 2, digest: 'b'.repeat(32) };

/** A document of two chunks, with its mark, and one of another document. */
function goodJob(): EmbedJob {
  const [first, second] = [chunkOf('a', 'One.'), chunkOf('a', 'Two.', { chunkIndex: 1 })];
  const documentMark = { ...OTHER_MARK, digest: chunksDigest([first, second]) };
  const other = chunkOf('b', 'Three.', { title: 'A title', embeddedText: 'Three', metadata: { year: 2009 } });
  return encodeJob('run-1', 0, [{ ...first, documentMark }, second, other]);
}

type Change = (chunk: EmbedJob['chunks'][number], job: EmbedJob) => void;

/** The job with one of its chunks changed, as it would come out of Redis. */
function forged(position: number, change: Change): EmbedJob {
  const job = JSON.parse(JSON.stringify(goodJob())) as EmbedJob;
  const chunk = job.chunks[position];
  if (chunk === undefined) throw new Error('no such chunk');
  change(chunk, job);
  return job;
}

const MARK = { ...OTHER_MARK };
const FORGERIES: readonly (readonly [string, number, Change])[] = [
  ['another text under the right hash', 1, (chunk) => (chunk.text = 'Two!')],
  ['another embedded text under the right hash', 2, (chunk) => (chunk.embeddedText = 'Thirty')],
  ['another text below the embedded one', 2, (chunk) => (chunk.text = 'Thirty.')],
  ['no embedded text any more', 2, (chunk) => delete chunk.embeddedText],
  ['the hash of another text', 1, (chunk) => (chunk.textHash = textHash('', 'One.'))],
  ['the id of another chunk', 1, (chunk, job) => (chunk.id = job.chunks[2]?.id ?? '')],
  ['the place of another chunk', 1, (chunk) => (chunk.chunkIndex = 7)],
  ['another document', 2, (chunk) => (chunk.document = 0)],
  ['another title', 2, (chunk) => (chunk.title = 'Another')],
  ['no title', 2, (chunk) => (chunk.title = null)],
  ['another offset', 1, (chunk) => (chunk.end += 1)],
  ['other tokens', 1, (chunk) => (chunk.tokens += 1)],
  ['another payload hash', 1, (chunk) => (chunk.payloadHash = 'c'.repeat(32))],
  ['other metadata', 2, (_, job) => Object.assign(job.documents[1] ?? {}, { metadata: { year: 2010 } })],
  ['more metadata', 0, (_, job) => Object.assign(job.documents[0] ?? {}, { metadata: { x: 1 } })],
  ['another digest', 0, (chunk) => (chunk.documentMark = MARK)],
  ['a mark of fewer chunks', 0, (chunk) => (chunk.documentMark = { ...MARK, chunkCount: 1 })],
  ['a mark with another chunk', 1, (chunk) => (chunk.documentMark = MARK)],
  ['a chunk twice', 1, (chunk, job) => job.chunks.push({ ...chunk })],
  ['another run', 0, (_, job) => (job.runId = 'run-2')],
];

describe('14.3 what a job claims is made again', () => {
  test('a job as embedline makes it passes, also in parts, and with metadata called __proto__', () => {
    expect(provenChunksOf(goodJob(), RUN)).toEqual(chunkRecordsOf(goodJob(), 'docs'));
    const records = chunkRecordsOf(goodJob(), 'docs');
    for (const record of records) {
      const part = encodeJob('run-1', 0, [record]);
      expect(provenChunksOf(part, RUN)).toHaveLength(1);
    }
    const metadata = JSON.parse(
      '{"__proto__":"x","1":-0,"constructor":["y",null]}',
    ) as ChunkRecord['metadata'];
    const odd = encodeJob('run-1', 0, [chunkOf('a', 'One.\r\nTwo.', { metadata })]);
    const [chunk] = provenChunksOf(JSON.parse(JSON.stringify(odd)) as EmbedJob, RUN);
    expect(Object.keys(chunk?.metadata ?? {}).sort()).toEqual(['1', '__proto__', 'constructor']);
  });

  test.each(FORGERIES)('%s is refused', (_, position, change) => {
    expect(() => provenChunksOf(forged(position, change), RUN)).toThrow(
      expect.objectContaining({ code: 'JOB_INVALID' }),
    );
  });

  test('titles count in what is embedded where the run says so', () => {
    const titled = chunkOf('a', 'One.', { title: 'A title' });
    const job = encodeJob('run-1', 0, [{ ...titled, textHash: textHash('', 'A title\n\nOne.') }]);
    expect(() => provenChunksOf(job, RUN)).toThrow(/hash is not the one of its text/);
    expect(provenChunksOf(job, { ...RUN, embedTitle: true })).toHaveLength(1);
  });
});

/** A run of three batches, the jobs of which can be changed before a worker sees them. */
async function fleet() {
  const bench = batchFleet();
  const { redis, prefix } = bench;
  const name = runKeys(prefix).queueName('run-1');
  await bench.enqueue('run-1', 3);
  const key = (index: number) => `${prefix}:${name}:${jobId('run-1', index)}`;
  const stored: Point[] = [];
  const work = () => bench.start({ upsert: (_, points) => void stored.push(...points) });
  const read = async (index: number) => JSON.parse((await redis.hget(key(index), 'data')) ?? '') as EmbedJob;
  const write = (index: number, data: unknown) =>
    redis.hset(key(index), 'data', typeof data === 'string' ? data : JSON.stringify(data));
  const texts = () => stored.map(({ chunk }) => chunk.text).sort();
  const add = async (id: string, data: unknown) => {
    const queue = new Queue(name, { connection: redis, prefix });
    await queue.add('embed', data, { jobId: id });
    await queue.close();
  };
  return { ...bench, name, work, read, write, texts, add };
}

describe('14.3 a forged job in the queue', () => {
  test('becomes dead letters with a cause of their own, and the others are stored', async () => {
    const { read, write, work, texts, run, ledger } = await fleet();
    const job = await read(1);
    const [first] = job.chunks;
    if (first !== undefined) first.text = 'Something else.';
    await write(1, job);
    work();
    await until('all is done', async () => (await run('run-1')).workers.batchesDone === 3);
    expect(texts()).toEqual(['Text 0.', 'Text 0.', 'Text 2.', 'Text 2.']);
    expect(await run('run-1')).toMatchObject({ deadLettersByCode: { JOB_INVALID: 2 } });
    // What it held is no use to anybody: only the corpus tells what is to be embedded.
    expect(await ledger.retryJobs('run-1')).toEqual(new Map());
  });

  test.each([
    ['no JSON', '{"version":'],
    ['a number', '7'],
    ['a job that is too long', `"${'x'.repeat(MAX_JOB_BYTES)}"`],
    ['nothing', ''],
    [
      'a job of numbers that no job has',
      '{"version":2,"runId":"run-1","batchIndex":1,"documents":[],"chunks":[{"chunkIndex":4e9}]}',
    ],
    ['what is nested without end', `${'['.repeat(200_000)}${']'.repeat(200_000)}`],
  ])('that holds %s costs its own batch only', async (_, data) => {
    const { write, work, texts, run } = await fleet();
    await write(1, data);
    work();
    await until('all is done', async () => (await run('run-1')).workers.batchesDone === 3);
    expect(texts()).toEqual(['Text 0.', 'Text 0.', 'Text 2.', 'Text 2.']);
    expect(await run('run-1')).toMatchObject({ deadLettersByCode: { JOB_INVALID: 1 } });
  });

  test('under another id than its own, or of another run, takes the place of no batch', async () => {
    const { work, texts, run, add, redis, prefix, name } = await fleet();
    const theirs = encodeJob('run-1', 2, [chunkOf('z', 'Theirs.', { pipeline: 'run-1' })]);
    await add(jobId('run-1', 0).replace('00000000', '00000077'), theirs);
    await add('somebody', theirs);
    await add(jobId('run-2', 2), { ...theirs, runId: 'run-2' });
    await add(jobId('run-1', 8), { ...theirs, batchIndex: 8 });
    work();
    await until(
      'nothing waits any more',
      async () => (await redis.keys(`${prefix}:${name}:*b-run*`)).length === 0,
    );
    expect(texts().filter((text) => text !== 'Theirs.')).toHaveLength(6);
    expect(texts().filter((text) => text === 'Theirs.')).toHaveLength(1);
    expect(await run('run-1')).toMatchObject({
      deadLetters: 0,
      workers: { batchesDone: 3, chunksEmbedded: 6 },
    });
  });
});
