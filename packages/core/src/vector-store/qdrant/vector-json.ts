/** The longest that JavaScript writes a number, with sign, exponent and comma. */
const MAX_NUMBER_BYTES = 26;
/** Nine digits tell every two 32-bit floats apart; with these decimals they reach down to 1e-13, and the division is exact (see below). */
const MAX_DECIMALS = 22;
const POWERS_OF_TEN = Float64Array.from({ length: MAX_DECIMALS + 1 }, (_, exponent) =>
  Number(`1e${exponent}`),
);

const ZERO = 0x30;
const POINT = 0x2e;
const MINUS = 0x2d;
const COMMA = 0x2c;
const OPEN = 0x5b;
const CLOSE = 0x5d;

let scratch = Buffer.alloc(0);

/**
 * A vector as a JSON array, each number in the fewest digits that give the same 32-bit float when they are read: about
 * half the bytes of the 64-bit numbers that JSON.stringify writes, in a fifth of the time.
 */
export function vectorJson(vector: Float32Array): Buffer {
  const needed = 2 + vector.length * MAX_NUMBER_BYTES;
  if (scratch.length < needed) scratch = Buffer.allocUnsafe(needed);
  scratch[0] = OPEN;
  let end = 1;
  for (let index = 0; index < vector.length; index += 1) {
    if (index > 0) scratch[end++] = COMMA;
    end = writeNumber(scratch, end, vector[index] ?? 0);
  }
  scratch[end++] = CLOSE;
  return Buffer.from(scratch.subarray(0, end));
}

/** @returns where the number ends */
function writeNumber(bytes: Buffer, start: number, value: number): number {
  const size = Math.abs(value);
  // Unit vectors hardly have others.
  if (!(size >= 1e-13 && size < 1)) return writeOther(bytes, start, value);
  let decimals = 9;
  for (let scaled = size * 1e9; scaled < 1e8; scaled *= 10) decimals += 1;
  let digits = toDigits(size, decimals);
  if (digits < 0) return writeOther(bytes, start, value);
  while (decimals > 1) {
    const fewer = toDigits(size, decimals - 1);
    if (fewer < 0) break;
    digits = fewer;
    decimals -= 1;
  }
  let end = start;
  if (value < 0) bytes[end++] = MINUS;
  bytes[end++] = ZERO;
  bytes[end++] = POINT;
  return writeDigits(bytes, end, digits, decimals);
}

/**
 * The decimals of a number below 1 as a whole number, or -1 where they are too few to tell it from its neighbours. A
 * reader that divides the digits by a power of ten up to 1e22, as serde_json does, makes the same division as this, and
 * one that rounds correctly comes to the same result, since both operands are exact.
 */
function toDigits(size: number, decimals: number): number {
  const power = POWERS_OF_TEN[decimals] ?? Infinity;
  // Math.round, of a number that fits into 30 bits.
  const digits = (size * power + 0.5) | 0;
  return Math.fround(digits / power) === size ? digits : -1;
}

function writeDigits(bytes: Buffer, start: number, digits: number, decimals: number): number {
  let rest = digits;
  for (let at = start + decimals - 1; at >= start; at -= 1) {
    const tenth = (rest / 10) | 0;
    bytes[at] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
  return start + decimals;
}

function writeOther(bytes: Buffer, start: number, value: number): number {
  return start + bytes.write(Object.is(value, -0) ? '-0' : String(value), start, 'latin1');
}
