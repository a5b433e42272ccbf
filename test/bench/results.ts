import { renderTable } from '../../apps/producer/src/terminal/table.ts';
import type { Throughput } from './end-to-end.ts';
import type { ProducerRate } from './producer.ts';
import type { Scaling } from './scaling.ts';

/** Of one run of the benchmark; parts that were left out are missing. */
export interface BenchResults {
  readonly date: string;
  readonly command: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGiB: number;
    readonly node: string;
  };
  readonly endToEnd?: readonly Throughput[];
  readonly workers?: readonly Scaling[];
  readonly paced?: readonly Scaling[];
  readonly queue?: { readonly workers: number; readonly chunksPerSecond: number };
  readonly producer?: readonly ProducerRate[];
  readonly seconds: number;
}

export function renderResults(results: BenchResults): string {
  const { cpu, cores, memoryGiB, node } = results.machine;
  const parts = [
    `${results.date}  ${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, ${results.seconds} s`,
    results.endToEnd === undefined ? null : renderThroughputs(results.endToEnd),
    results.workers === undefined ? null : renderScaling('WORKER PROCESSES, SHORT TEXTS', results.workers),
    results.paced === undefined ? null : renderScaling('WORKERS OF A FIXED COST', results.paced),
    results.queue === undefined
      ? null
      : `queue path alone, ${results.queue.workers} workers: ${count(results.queue.chunksPerSecond)} chunks/s`,
    results.producer === undefined ? null : renderProducer(results.producer),
  ];
  return parts.filter((part) => part !== null).join('\n\n');
}

function renderThroughputs(all: readonly Throughput[]): string {
  const rate = (texts: string, what: string) =>
    all.find((row) => row.texts === texts && row.what.startsWith(what))?.textsPerSecond ?? NaN;
  const rows = all.map(({ texts, what, textsPerSecond, ofCeiling, cpuMsPerText, residentMiB }) => [
    texts,
    what,
    textsPerSecond.toFixed(textsPerSecond < 100 ? 1 : 0),
    ofCeiling.toFixed(2),
    (textsPerSecond / rate(texts, 'transformers.js, 32 at a time, default')).toFixed(2).replace('NaN', ''),
    cpuMsPerText === null ? '' : shares(cpuMsPerText),
    Object.entries(residentMiB)
      .map(([part, mebibytes]) => `${part} ${mebibytes.toFixed(0)}`)
      .join(', '),
  ]);
  return renderTable(
    [
      { header: 'TEXTS' },
      { header: 'WHAT' },
      { header: 'TEXTS/S', align: 'right' },
      { header: 'OF CEILING', align: 'right' },
      { header: 'x LOOP', align: 'right' },
      { header: 'SHARE OF CPU TIME' },
      { header: 'RSS MiB, AT MOST' },
    ],
    rows,
  );
}

function shares(cpuMs: NonNullable<Throughput['cpuMsPerText']>): string {
  const total = Object.values(cpuMs).reduce((sum: number, ms) => sum + Number(ms), 0);
  return Object.entries(cpuMs)
    .map(([part, ms]) => `${part} ${((100 * Number(ms)) / total).toFixed(1)} %`)
    .join(', ');
}

function renderScaling(title: string, all: readonly Scaling[]): string {
  return renderTable(
    [
      { header: title, align: 'right' },
      { header: 'CHUNKS/S', align: 'right' },
      { header: 'RATIO', align: 'right' },
    ],
    all.map(({ workers, chunksPerSecond, ratio }) => [
      String(workers),
      count(chunksPerSecond),
      ratio.toFixed(2),
    ]),
  );
}

function renderProducer(rates: readonly ProducerRate[]): string {
  return renderTable(
    [
      { header: 'PRODUCER' },
      { header: 'TEXTS' },
      { header: 'READING' },
      { header: 'CHUNKS/S', align: 'right' },
      { header: 'PER CPU SECOND', align: 'right' },
      { header: 'CPU MS PER 1,000 CHUNKS' },
    ],
    rates.map((rate) => [
      rate.store,
      rate.texts,
      rate.reading,
      count(rate.chunksPerSecond),
      count(rate.chunksPerCpuSecond),
      Object.entries(rate.stages)
        .map(([stage, ms]) => `${stage} ${ms.toFixed(1)}`)
        .join(', '),
    ]),
  );
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}
