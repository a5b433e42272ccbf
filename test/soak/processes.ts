import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

/** What one process holds. */
export interface Holding {
  readonly residentMegabytes: number;
  /** Open files, pipes and sockets; null where the system does not tell. */
  readonly handles: number | null;
}

/** A process and its children, parents first. */
export function processTree(rootPid: number): readonly number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  const tree = [rootPid];
  for (const parent of tree)
    for (const [pid, ppid] of pairs) if (ppid === parent && pid !== undefined) tree.push(pid);
  return tree;
}

/** @returns null when the process is gone */
export function holdingOf(pid: number): Holding | null {
  try {
    const kilobytes = execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
    return { residentMegabytes: Number(kilobytes) / 1024, handles: countHandles(pid) };
  } catch {
    return null;
  }
}

function countHandles(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return null;
  }
}
