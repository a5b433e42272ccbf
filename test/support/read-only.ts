import { execFileSync } from 'node:child_process';
import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Makes a directory and its files read-only, and writable again; none of them may be open. */
export type SetReadOnly = (readOnly: boolean) => Promise<void>;

/**
 * For an empty directory. Permissions do not bind root, for whom it becomes a file system of its own.
 * @returns null when root may not mount one, as in most containers
 */
export function canBeReadOnly(directory: string): SetReadOnly | null {
  if (process.getuid?.() !== 0) {
    return async (readOnly) => {
      for (const file of await readdir(directory))
        await chmod(join(directory, file), readOnly ? 0o444 : 0o644);
      await chmod(directory, readOnly ? 0o555 : 0o755);
    };
  }
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=0700', 'tmpfs', directory], {
      stdio: 'ignore',
    });
  } catch {
    return null;
  }
  onTestFinished(() => void execFileSync('umount', ['-l', directory]));
  return (readOnly) => {
    execFileSync('mount', ['-o', `remount,${readOnly ? 'ro' : 'rw'}`, directory]);
    return Promise.resolve();
  };
}
