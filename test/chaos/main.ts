/**
 * Everything that can go wrong, going wrong while an ingest runs; then the store is compared with what it must hold.
 *
 *   npm run chaos -- [--form short|full] [--store sqlite|qdrant] [--seed N] [--only REGEXP] [--lock SECONDS]
 *
 * Without --store, one after the other. The short form has one of the faults that take long, chosen by its seed. --only chooses faults by name, --lock is that of the workers. Qdrant is the double of the tests, or a real one at QDRANT_TEST_URL.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { renderReport } from './report.ts';
import { runChaos } from './run-chaos.ts';

const { values } = parseArgs({
  options: {
    form: { type: 'string', default: 'full' },
    store: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    only: { type: 'string' },
    lock: { type: 'string', default: '2' },
  },
});
const options = z
  .object({
    form: z.enum(['short', 'full']),
    store: z.enum(['sqlite', 'qdrant']).optional(),
    seed: z.coerce.number().int().min(0),
    only: z.string().optional(),
    lock: z.coerce.number().min(2),
  })
  .parse(values);

for (const store of options.store === undefined ? (['sqlite', 'qdrant'] as const) : [options.store]) {
  const real = store === 'qdrant' && process.env['QDRANT_TEST_URL'] !== undefined;
  process.stdout.write(`${store}${store === 'qdrant' && !real ? ' (double)' : ''}, seed ${options.seed}\n`);
  const report = await runChaos({
    store,
    form: options.form,
    seed: options.seed,
    workers: 4,
    documents: options.form === 'full' ? 2_000 * 120 : 8_000,
    msPerText: options.form === 'full' ? 3 : 4,
    only: options.only === undefined ? undefined : new RegExp(options.only),
    lockDurationMs: options.lock * 1000,
    tell: (text) => process.stderr.write(`  ${text}\n`),
  });
  process.stdout.write(`${renderReport(report)}\n\n`);
  const { lost, wrong, countedTwice, deadLettersPlanted, deadLettersFound, otherDeadLetters } =
    report.verdict;
  const others = Object.keys(otherDeadLetters).length;
  if (lost + wrong + countedTwice + others > 0 || deadLettersFound !== deadLettersPlanted)
    process.exitCode = 1;
}
