import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = new URL('../prebuilt/', import.meta.url);

/** Path of a file that `npm run build:kernel` made. */
export function prebuiltPath(file: string): string {
  return fileURLToPath(new URL(file, FOLDER));
}

/**
 * Reads a prebuilt file and compares it with the list of checksums beside it: code that is damaged must not run.
 * @returns the bytes, or null when this version has no such file
 * @throws Error when the file is not the one that the list names
 */
export function readPrebuilt(file: string): Buffer | null {
  const wanted = checksums().get(file);
  if (wanted === undefined) return null;
  const bytes = readFileSync(prebuiltPath(file));
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== wanted)
    throw new Error(
      `${prebuiltPath(file)} is damaged: its SHA-256 is not the one in SHA256SUMS. Install Embedline again, or run npm run build:kernel.`,
    );
  return bytes;
}

function checksums(): Map<string, string> {
  const lines = readFileSync(prebuiltPath('SHA256SUMS'), 'utf8').split('\n');
  return new Map(
    lines.flatMap((line) => {
      const [sum, file] = line.split('  ');
      return sum === undefined || file === undefined ? [] : [[file, sum] as const];
    }),
  );
}
