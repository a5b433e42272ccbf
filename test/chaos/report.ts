import { renderTable } from '../../apps/producer/src/terminal/table.ts';
import type { ChaosReport } from './run-chaos.ts';

/** A table of what went wrong, and of what became of it. */
export function renderReport(report: ChaosReport): string {
  const { verdict } = report;
  const faults = report.faults.map(({ name, times, recoveredWithinMs, impossible }) => [
    name,
    String(times),
    impossible ??
      (recoveredWithinMs === null ? '' : `${(Math.max(0, recoveredWithinMs) / 1000).toFixed(1)} s`),
  ]);
  const results = [
    ['chunks', String(verdict.chunks)],
    ['batches', String(verdict.batches)],
    ['lost', String(verdict.lost)],
    ['wrong', String(verdict.wrong)],
    ['counted twice or not at all', String(verdict.countedTwice)],
    ['dead letters, of those planted', `${verdict.deadLettersFound} of ${verdict.deadLettersPlanted}`],
    ...Object.entries(verdict.otherDeadLetters).map(([reason, times]) => [
      `dead letters that were not planted: ${reason}`,
      String(times),
    ]),
    ['duplicate work', `${(100 * verdict.duplicateWork).toFixed(2)} %`],
    ['log lines of all workers in any ten seconds', String(report.mostLogLinesInTenSeconds)],
    ['time', `${report.seconds.toFixed(0)} s`],
  ];
  return [
    renderTable(
      [
        { header: 'FAULT' },
        { header: 'TIMES', align: 'right' },
        { header: 'RECOVERED WITHIN', align: 'right' },
      ],
      faults,
    ),
    '',
    renderTable([{ header: 'RESULT' }, { header: '', align: 'right' }], results),
  ].join('\n');
}
