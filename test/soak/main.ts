/**
 * Whether anything grows: an ingest that does not end, real workers with the shipped model, a real Redis, SQLite.
 *
 *   npm run soak -- [--minutes 15] [--workers 2]
 *
 * Prints the slope of what each process and Redis hold, without the first third, in which caches fill. Under five
 * minutes, the slopes say little.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { renderTable } from '../../apps/producer/src/terminal/table.ts';
import { runSoak, type Series, type SoakReport } from './run-soak.ts';
import { trendOf } from './trend.ts';

/** Growth per minute that is told from none: a megabyte, and a handle in five minutes. */
const MOST_PER_MINUTE = { MB: 1, handles: 0.2 } as const;
/** What runs leave in Redis for a while: their record. */
const MOST_LEFT_MEGABYTES = 0.5;

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '15' }, workers: { type: 'string', default: '2' } },
});
const options = z
  .object({ minutes: z.coerce.number().positive(), workers: z.coerce.number().int().min(1) })
  .parse(values);
const report = await runSoak({
  ...options,
  sampleEveryMs: 2_000,
  tell: (text) => process.stderr.write(`${text}\n`),
});
const rows = report.series.map(rowOf);
process.stdout.write(`${render(report)}\n`);
if ([...rows, redisRow(report)].some((row) => row.at(-1) !== 'flat')) process.exitCode = 1;

function rowOf({ name, unit, samples }: Series): string[] {
  const warm = samples.slice(Math.floor(samples.length / 3));
  const { slope, error } = trendOf(warm);
  const most = Math.max(...samples.map(([, value]) => value));
  const grows = slope - 2 * error > MOST_PER_MINUTE[unit];
  const last = samples.at(-1)?.[1] ?? 0;
  const slopeText = `${slope >= 0 ? '+' : ''}${slope.toFixed(2)} ± ${(2 * error).toFixed(2)} ${unit}/min`;
  return [
    name,
    last.toFixed(unit === 'MB' ? 1 : 0),
    most.toFixed(unit === 'MB' ? 1 : 0),
    slopeText,
    grows ? 'GROWS' : 'flat',
  ];
}

function redisRow({ redisMegabytes: { before, most, after } }: SoakReport): string[] {
  const back = after - before <= MOST_LEFT_MEGABYTES;
  const change = `${before.toFixed(1)} MB before`;
  return ['Redis after the ingest', after.toFixed(1), most.toFixed(1), change, back ? 'flat' : 'GROWS'];
}

function render({ chunks, minutes }: SoakReport): string {
  const table = renderTable(
    [
      { header: 'WHAT' },
      { header: 'LAST', align: 'right' },
      { header: 'MOST', align: 'right' },
      { header: 'SLOPE', align: 'right' },
      { header: 'VERDICT' },
    ],
    [...rows, redisRow(report)],
  );
  return `${table}\n\n${chunks} chunks in ${minutes.toFixed(1)} minutes, ${options.workers} workers`;
}
