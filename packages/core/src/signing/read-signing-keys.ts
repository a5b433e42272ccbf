import { readFileSync, statSync } from 'node:fs';
import { messageOf } from '../errors.ts';
import { rememberSecrets } from '../redact.ts';
import { parseSigningKeys, SigningKeys } from './signing-keys.ts';

/** The variables that say which keys there are. */
export interface SigningVariables {
  readonly EMBEDLINE_SIGNING_KEY?: string | undefined;
  readonly EMBEDLINE_SIGNING_KEY_FILE?: string | undefined;
}

/** Of sixteen long keys. */
const MAX_FILE_BYTES = 64 * 1024;

/**
 * Reads the keys that programs share. They are kept out of every message from then on.
 * @returns null when no variable names any, or what is wrong by variable, never with a key
 */
export function readSigningKeys(
  given: SigningVariables,
  encryptsTexts: boolean,
): { readonly keys: SigningKeys | null; readonly problems: readonly string[] } {
  const { EMBEDLINE_SIGNING_KEY: text, EMBEDLINE_SIGNING_KEY_FILE: file } = given;
  if (text !== undefined && file !== undefined)
    return problem('EMBEDLINE_SIGNING_KEY_FILE', 'EMBEDLINE_SIGNING_KEY is set too. Remove one of them');
  try {
    if (file !== undefined) return { keys: readKeyFile(file, encryptsTexts), problems: [] };
    return { keys: text === undefined ? null : keysOf(text, encryptsTexts), problems: [] };
  } catch (error) {
    return problem(
      file === undefined ? 'EMBEDLINE_SIGNING_KEY' : 'EMBEDLINE_SIGNING_KEY_FILE',
      messageOf(error),
    );
  }
}

/** @throws Error that says what is wrong with the file, never with a key */
export function readKeyFile(file: string, encryptsTexts: boolean): SigningKeys {
  const stats = statSync(file);
  if (!stats.isFile()) throw new RangeError(`${file} is not a file`);
  if (stats.size > MAX_FILE_BYTES) throw new RangeError(`${file} is longer than ${MAX_FILE_BYTES} bytes`);
  return keysOf(readFileSync(file, 'utf8'), encryptsTexts);
}

function keysOf(text: string, encryptsTexts: boolean): SigningKeys {
  rememberSecrets(text.split(',').map((part) => part.trim()));
  return new SigningKeys(parseSigningKeys(text), { encryptsTexts });
}

function problem(name: string, text: string) {
  return { keys: null, problems: [`${name}: ${text}`] };
}
