import { EmbedlineError } from '../errors.ts';
import type { SignedKind, SigningKeys } from './signing-keys.ts';

/** A value with its signature beside its other fields; as it is when there is no key. */
export function withSignature<T extends object>(kind: SignedKind, value: T, keys: SigningKeys | null): T {
  const bare = withoutSignature(value);
  return keys === null ? bare : { ...bare, signature: keys.sign(kind, bare) };
}

/** The value that a signature is over. */
export function withoutSignature<T extends object>(value: T): T {
  if (!('signature' in value)) return value;
  const { signature: _signature, ...bare } = value;
  return bare as T;
}

/**
 * Refuses what is not signed by one of the keys. Without a key, signed values are refused as well,
 * because this program could not tell them from forged ones.
 * @param what for people, e.g. `Run 1`
 * @param value as JSON.parse gave it
 * @throws EmbedlineError SIGNATURE_REFUSED that says what to do
 */
export function assertSigned(
  kind: SignedKind,
  {
    what,
    value,
    keys,
  }: { readonly what: string; readonly value: unknown; readonly keys: SigningKeys | null },
): void {
  const problem = problemOf(kind, value, keys);
  if (problem !== null) throw new EmbedlineError('SIGNATURE_REFUSED', `${what} ${problem}`);
}

/** True for what {@link assertSigned} lets pass. */
export function isSigned(kind: SignedKind, value: unknown, keys: SigningKeys | null): boolean {
  return problemOf(kind, value, keys) === null;
}

const SAME_KEY = 'Give every producer, worker and server the same EMBEDLINE_SIGNING_KEY';

function problemOf(kind: SignedKind, value: unknown, keys: SigningKeys | null): string | null {
  const isObject = typeof value === 'object' && value !== null;
  const given: unknown = isObject && 'signature' in value ? value.signature : undefined;
  if (keys === null)
    return given === undefined
      ? null
      : `is signed, and this program has no key to check it with. ${SAME_KEY}.`;
  if (given === undefined)
    return `is not signed: a program without the key has written it, or something else that writes to this Redis. ${SAME_KEY}.`;
  if (isObject && verifies(kind, value, given, keys)) return null;
  return `is signed with a key that this program does not have, or was changed since. ${SAME_KEY}.`;
}

/** What is nested too deeply to be written was not written by us. */
function verifies(kind: SignedKind, value: object, given: unknown, keys: SigningKeys): boolean {
  try {
    return keys.verifies(kind, withoutSignature(value), given);
  } catch {
    return false;
  }
}
