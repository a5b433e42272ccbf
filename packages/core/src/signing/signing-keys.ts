import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

/** What is signed. A signature of one kind is not valid for another. */
export type SignedKind = 'run' | 'job' | 'retry-job' | 'ingest-request' | 'schedule';

/** A key that is shorter could be guessed. */
export const MIN_KEY_BYTES = 32;
const MAX_KEYS = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/**
 * Secrets that programs share and Redis never sees. The first one signs and encrypts; all of them verify and decrypt, so
 * that a key can be replaced: put the new one first, restart every program, then take the old one away.
 */
export class SigningKeys {
  readonly #secrets: readonly Buffer[];
  /** For signatures; as many as there are secrets. */
  readonly #keys: readonly Buffer[];
  /** Whether texts in Redis are encrypted as well. */
  readonly encryptsTexts: boolean;

  constructor(secrets: readonly Buffer[], { encryptsTexts }: { readonly encryptsTexts: boolean }) {
    this.#secrets = secrets;
    this.#keys = secrets.map((secret) => derive(secret, 'embedline/sign/1', ''));
    this.encryptsTexts = encryptsTexts;
  }

  /** HMAC-SHA-256 in base64url, over the kind and the value as JSON.stringify writes it. */
  sign(kind: SignedKind, value: object): string {
    return signature(this.#keys[0] ?? Buffer.alloc(0), kind, value).toString('base64url');
  }

  /** @param given of whatever type */
  verifies(kind: SignedKind, value: object, given: unknown): boolean {
    if (typeof given !== 'string') return false;
    const bytes = Buffer.from(given, 'base64url');
    return this.#keys.some((key) => {
      const expected = signature(key, kind, value);
      return bytes.length === expected.length && timingSafeEqual(bytes, expected);
    });
  }

  /**
   * AES-256-GCM with a key for the run alone, in base64url.
   * @param context what the text belongs to, and cannot be moved away from
   */
  encrypt(text: string, { runId, context }: EncryptionContext): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, encryptionKey(this.#secrets[0] ?? Buffer.alloc(0), runId), nonce);
    cipher.setAAD(Buffer.from(context));
    const encrypted = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, encrypted, cipher.getAuthTag()]).toString('base64url');
  }

  /** @returns null for what none of the keys has encrypted for this context */
  decrypt(text: string, { runId, context }: EncryptionContext): string | null {
    const bytes = Buffer.from(text, 'base64url');
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return null;
    for (const secret of this.#secrets) {
      const decipher = createDecipheriv(CIPHER, encryptionKey(secret, runId), bytes.subarray(0, NONCE_BYTES));
      decipher.setAAD(Buffer.from(context));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        const start = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
        return Buffer.concat([start, decipher.final()]).toString('utf8');
      } catch {
        // Of another key.
      }
    }
    return null;
  }
}

export interface EncryptionContext {
  readonly runId: string;
  readonly context: string;
}

/**
 * Reads keys that are separated by commas, each in hexadecimal digits or in base64 (or base64url).
 * @throws RangeError that says what is wrong, never a key
 */
export function parseSigningKeys(text: string): Buffer[] {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length > MAX_KEYS) throw new RangeError(`expected at most ${MAX_KEYS} keys`);
  return parts.map((part, index) => {
    const key = decodeKey(part);
    if (key === null || key.length < MIN_KEY_BYTES)
      throw new RangeError(
        `key ${index + 1} of ${parts.length} is not ${MIN_KEY_BYTES} bytes or more in hexadecimal digits or base64; ` +
          `make one with: openssl rand -hex ${MIN_KEY_BYTES}`,
      );
    return key;
  });
}

function decodeKey(text: string): Buffer | null {
  if (/^(?:[0-9a-f]{2})+$/i.test(text)) return Buffer.from(text, 'hex');
  if (/^[\w+/-]+={0,2}$/.test(text)) return Buffer.from(text, 'base64');
  return null;
}

function signature(key: Buffer, kind: SignedKind, value: object): Buffer {
  return createHmac('sha256', key).update(`embedline/${kind}/1\n`).update(JSON.stringify(value)).digest();
}

function encryptionKey(secret: Buffer, runId: string): Buffer {
  return derive(secret, 'embedline/encrypt/1', runId);
}

function derive(secret: Buffer, purpose: string, salt: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, purpose, 32));
}
