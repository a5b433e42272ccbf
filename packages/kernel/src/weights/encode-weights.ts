import { createHash } from 'node:crypto';
import { KernelError } from '../errors.ts';
import {
  aligned,
  fileBytes,
  HEADER_BYTES,
  sectionBytes,
  sectionsOf,
  writeHeader,
  type Section,
  type WeightsHeader,
} from './header.ts';

/** Bytes 96 to 127 of a weights file: SHA-256 of everything else. */
const CHECKSUM_START = 96;

/**
 * Writes a weights file.
 * @param bytesOf the little-endian elements of a section, row by row
 * @throws KernelError WEIGHTS_INVALID when a section has another size
 */
export function encodeWeights(header: WeightsHeader, bytesOf: (section: Section) => Uint8Array): Uint8Array {
  const file = new Uint8Array(fileBytes(header));
  writeHeader(header, new DataView(file.buffer));
  let at = HEADER_BYTES;
  for (const section of sectionsOf(header)) {
    const bytes = bytesOf(section);
    const wanted = sectionBytes(section);
    if (bytes.byteLength !== wanted)
      throw new KernelError(
        'WEIGHTS_INVALID',
        `The weights ${section.name} have ${bytes.byteLength} bytes instead of ${wanted}.`,
      );
    file.set(bytes, at);
    at += aligned(wanted);
  }
  file.set(checksumOf(file), CHECKSUM_START);
  return file;
}

/**
 * Compares a weights file with its checksum. For files that were stored; weights just made need no check.
 * @throws KernelError WEIGHTS_INVALID
 */
export function verifyChecksum(file: Uint8Array): void {
  const stored = file.subarray(CHECKSUM_START, HEADER_BYTES);
  if (file.byteLength < HEADER_BYTES || Buffer.compare(stored, checksumOf(file)) !== 0)
    throw new KernelError(
      'WEIGHTS_INVALID',
      "The kernel's weights cannot be used: their checksum is wrong, so the file is cut off or damaged. Export it again.",
    );
}

function checksumOf(file: Uint8Array): Uint8Array {
  return createHash('sha256')
    .update(file.subarray(0, CHECKSUM_START))
    .update(file.subarray(HEADER_BYTES))
    .digest();
}
