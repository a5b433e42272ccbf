import { statSync } from 'node:fs';
import { EmbedlineError } from '../../errors.ts';

/**
 * Whether an open file is still the one at its path. SQLite goes on with a file that was deleted or replaced without an
 * error, and all that is written then is lost when it is closed.
 */
export class FilePlace {
  readonly #file: string;
  readonly #found: string | null;

  /** @param file that has just been opened */
  constructor(file: string) {
    this.#file = file;
    this.#found = identityOf(file);
  }

  /** @throws EmbedlineError COLLECTION_NOT_FOUND when it was deleted, moved or replaced */
  assertUnmoved(): void {
    const now = identityOf(this.#file);
    if (now !== null && now === this.#found) return;
    const what = now === null ? 'deleted or moved' : 'replaced by another file';
    throw new EmbedlineError(
      'COLLECTION_NOT_FOUND',
      `The vector store file ${this.#file} was ${what} while it was in use: what was written since is lost. Ingest again.`,
    );
  }
}

function identityOf(file: string): string | null {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? null : `${found.dev}:${found.ino}`;
}
