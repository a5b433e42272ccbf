import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EmbedlineError } from './errors.ts';
import { describeFinding, ok, problem, warning, type Finding } from './finding.ts';

const GIB = 1024 ** 3;
const WARN_BELOW_BYTES = GIB;
/** A private Redis rewrites its file, and SQLite its log, in room of their own. */
const REFUSE_BELOW_BYTES = GIB / 32;

/** Bytes that may still be written below a directory, or below the nearest one above it that is there. */
export async function freeBytesOf(directory: string): Promise<number> {
  for (let path = directory; ; path = dirname(path)) {
    const found = await statfs(path).catch(() => null);
    if (found !== null) return found.bavail * found.bsize;
    if (path === dirname(path)) return Number.POSITIVE_INFINITY;
  }
}

/** Looks at the disk of the embedded store and of the private Redis. */
export async function examineDisk(
  directory: string,
  freeBytes: (directory: string) => Promise<number> = freeBytesOf,
): Promise<Finding> {
  const check = 'free disk';
  const bytes = await freeBytes(directory);
  const found = `${(bytes / GIB).toFixed(bytes < 10 * GIB ? 2 : 0)} GiB free for ${directory}`;
  const remedy = 'Free some space, or put EMBEDLINE_HOME on another disk.';
  if (bytes < REFUSE_BELOW_BYTES) return problem(check, `${found}: too little to write to.`, remedy);
  if (bytes < WARN_BELOW_BYTES) return warning(check, `${found}.`, remedy);
  return ok(check, found);
}

/** @throws EmbedlineError STORE_FULL when there is no room to begin with */
export async function assertFreeDisk(
  directory: string,
  freeBytes: (directory: string) => Promise<number> = freeBytesOf,
): Promise<void> {
  const finding = await examineDisk(directory, freeBytes);
  if (finding.verdict === 'problem') throw new EmbedlineError('STORE_FULL', describeFinding(finding));
}
