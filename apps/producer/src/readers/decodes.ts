import { isUtf8 } from 'node:buffer';

/** Whether bytes that may be cut off are text of an encoding. */
export function decodes(bytes: Uint8Array, encoding: string): boolean {
  try {
    new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** Whether bytes that may be cut off are UTF-8. */
export function isUtf8Prefix(bytes: Uint8Array): boolean {
  return isUtf8(bytes) || decodes(bytes, 'utf-8');
}
