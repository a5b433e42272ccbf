/** One field of a Protocol Buffers message: a number, or bytes within the file. */
export interface Field {
  readonly number: number;
  /** Set for numbers of variable length. */
  readonly value: number;
  /** Set for bytes, and for 32-bit and 64-bit numbers. */
  readonly bytes: Uint8Array;
}

const NO_BYTES = new Uint8Array();

/**
 * The fields of a message, in the order of the file. Nothing is copied.
 * @throws Error when the bytes are not a whole message
 */
export function* fieldsOf(message: Uint8Array): Generator<Field> {
  for (let position = 0; position < message.length;) {
    const tag = varint(message, position);
    const [number, wire] = [Math.floor(tag.value / 8), tag.value % 8];
    position = tag.next;
    if (wire === 0) {
      const { value, next } = varint(message, position);
      yield { number, value, bytes: NO_BYTES };
      position = next;
      continue;
    }
    let length = wire === 1 ? 8 : 4;
    if (wire === 2) ({ value: length, next: position } = varint(message, position));
    else if (wire !== 1 && wire !== 5) throw new Error('it is not a Protocol Buffers file');
    if (number === 0 || position + length > message.length) throw new Error('it is cut off or damaged');
    yield { number, value: 0, bytes: message.subarray(position, position + length) };
    position += length;
  }
}

/** A number of variable length. Negative 64-bit numbers lose precision; sizes and counts do not. */
function varint(message: Uint8Array, position: number): { value: number; next: number } {
  let value = 0;
  for (let index = 0; index < 10; index += 1) {
    const byte = message[position + index];
    if (byte === undefined) throw new Error('it is cut off or damaged');
    value += (byte % 128) * 2 ** (7 * index);
    if (byte < 128) return { value, next: position + index + 1 };
  }
  throw new Error('it is not a Protocol Buffers file');
}

/** Whole numbers that a message repeats, packed into bytes or one by one. */
export function numbersOf(field: Field): number[] {
  if (field.bytes.length === 0) return [field.value];
  const numbers: number[] = [];
  for (let position = 0; position < field.bytes.length;) {
    const { value, next } = varint(field.bytes, position);
    numbers.push(value);
    position = next;
  }
  return numbers;
}
