import { readdirSync, readFileSync } from 'node:fs';
import { setInterval } from 'node:timers';

/** What a process has cost so far, as the kernel counts it (Linux). */
export interface ProcessCost {
  readonly cpuMs: number;
  readonly residentMiB: number;
  readonly peakResidentMiB: number;
}

/** Kernel ticks are hundredths of a second on every Linux that Node runs on. */
const MS_PER_TICK = 10;

/** @returns null when there is no such process any more */
export function processCost(pid: number): ProcessCost | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    // One that has ended and was not waited for yet has no memory any more.
    if (!status.includes('VmHWM')) return null;
    const mebibytes = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024;
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK,
      residentMiB: mebibytes('VmRSS'),
      peakResidentMiB: mebibytes('VmHWM'),
    };
  } catch {
    return null;
  }
}

/** The processes that a process has started, and theirs. */
export function descendants(pid: number): number[] {
  const children = readdirSync('/proc')
    .map(Number)
    .filter((candidate) => candidate > 0 && parentOf(candidate) === pid);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function parentOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return null;
  }
}

/** Looks at a process that may end at any time, and keeps what was seen last. */
export function watchProcess(pid: number): { last(): ProcessCost } {
  let last: ProcessCost = { cpuMs: 0, residentMiB: 0, peakResidentMiB: 0 };
  const timer = setInterval(() => {
    const cost = processCost(pid);
    if (cost === null) clearInterval(timer);
    else last = cost;
  }, 50);
  timer.unref();
  return { last: () => processCost(pid) ?? last };
}
