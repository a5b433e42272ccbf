import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** An input or output of an ONNX graph. */
export interface OnnxValue {
  readonly name: string;
  /** A number of TensorProto.DataType, e.g. 1 for float32; null when the file does not say. */
  readonly elementType: number | null;
  /** Sizes; null for one that may vary. Null as a whole when the file does not say. */
  readonly shape: readonly (number | null)[] | null;
}

/** What can be told of an ONNX file without its weights. */
export interface OnnxGraph {
  /** What has to be fed: initializers, which old files list as inputs too, are left out. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** Files with further weights, relative to the folder of this one, each once. */
  readonly externalFiles: readonly string[];
}

/** The messages of onnx.proto3 in which tensors may stand, by the number of the field that holds them. */
const CHILDREN: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  model: { 7: 'graph', 25: 'function' },
  graph: { 1: 'node', 5: 'initializer', 11: 'input', 12: 'output', 15: 'sparse' },
  subgraph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  function: { 7: 'node' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'subgraph', 10: 'tensor', 11: 'subgraph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  initializer: { 8: 'initializerName', 13: 'external' },
  tensor: { 13: 'external' },
};
const MAX_DEPTH = 40;

/**
 * Reads the inputs, outputs and external files of an ONNX model. Weights are passed over, so that gigabytes of them take
 * milliseconds and no memory.
 * @throws Error when the file cannot be read as ONNX
 */
export function readOnnxGraph(file: string): OnnxGraph {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = new Bytes(descriptor, fstatSync(descriptor).size);
    const inputs: OnnxValue[] = [];
    const outputs: OnnxValue[] = [];
    const initializers = new Set<string>();
    const externalFiles = new Set<string>();
    const take: Readonly<Record<string, (field: Field) => void>> = {
      input: (field) => inputs.push(valueOf(bytes, field)),
      output: (field) => outputs.push(valueOf(bytes, field)),
      initializerName: ({ start, end }) => initializers.add(bytes.text(start, end)),
      external: (field) => {
        const [key, value] = [textIn(bytes, field, 1), textIn(bytes, field, 2)];
        if (key === 'location' && value !== null) externalFiles.add(value);
      },
    };
    walk(bytes, 'model', { number: 0, start: 0, end: bytes.size, value: 0 }, take, 0);
    if (outputs.length === 0) throw new Error('it has no graph with outputs');
    return {
      inputs: inputs.filter(({ name }) => !initializers.has(name)),
      outputs,
      externalFiles: [...externalFiles],
    };
  } finally {
    closeSync(descriptor);
  }
}

function walk(
  bytes: Bytes,
  message: string,
  { start, end }: Field,
  take: Readonly<Record<string, (field: Field) => void>>,
  depth: number,
): void {
  if (depth > MAX_DEPTH) throw new Error('its graphs are nested too deep');
  for (const field of fieldsOf(bytes, start, end)) {
    const child = CHILDREN[message]?.[field.number];
    if (child === undefined) continue;
    take[child]?.(field);
    if (CHILDREN[child] !== undefined) walk(bytes, child, field, take, depth + 1);
  }
}

/** ValueInfoProto: name = 1, type = 2 { tensor_type = 1 { elem_type = 1, shape = 2 { dim = 1 { dim_value = 1 } } } } */
function valueOf(bytes: Bytes, value: Field): OnnxValue {
  const tensor = fieldIn(bytes, fieldIn(bytes, value, 2), 1);
  const shape = fieldIn(bytes, tensor, 2);
  const dimensions = shape === null ? null : [...fieldsOf(bytes, shape.start, shape.end)];
  return {
    name: textIn(bytes, value, 1) ?? '',
    elementType: fieldIn(bytes, tensor, 1)?.value ?? null,
    shape: dimensions?.map((dimension) => fieldIn(bytes, dimension, 1)?.value ?? null) ?? null,
  };
}

function fieldIn(bytes: Bytes, message: Field | null, number: number): Field | null {
  if (message === null) return null;
  for (const field of fieldsOf(bytes, message.start, message.end)) if (field.number === number) return field;
  return null;
}

function textIn(bytes: Bytes, message: Field, number: number): string | null {
  const field = fieldIn(bytes, message, number);
  return field === null ? null : bytes.text(field.start, field.end);
}

/** A field of a Protocol Buffers message: a number, or the place of its bytes. */
interface Field {
  readonly number: number;
  readonly start: number;
  readonly end: number;
  readonly value: number;
}

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 };

function* fieldsOf(bytes: Bytes, start: number, end: number): Generator<Field> {
  for (let position = start; position < end;) {
    const tag = bytes.varint(position);
    const [number, wire] = [Math.floor(tag.value / 8), tag.value % 8];
    let [from, to, value] = [tag.next, tag.next, 0];
    if (wire === WIRE.varint) ({ value, next: to } = bytes.varint(from));
    else if (wire === WIRE.fixed64) to = from + 8;
    else if (wire === WIRE.fixed32) to = from + 4;
    else if (wire === WIRE.bytes) {
      const length = bytes.varint(from);
      from = length.next;
      to = from + length.value;
    } else throw new Error('it is not a Protocol Buffers file');
    if (to > end || number === 0) throw new Error('it is cut off, or not a Protocol Buffers file');
    yield { number, start: from, end: to, value };
    position = to;
  }
}

const WINDOW_BYTES = 64 * 1024;
const MAX_TEXT_BYTES = 64 * 1024;

/** The bytes of a file, through a window that follows what is read. */
class Bytes {
  readonly size: number;
  readonly #descriptor: number;
  readonly #window = Buffer.alloc(WINDOW_BYTES);
  #start = 0;
  #length = 0;

  constructor(descriptor: number, size: number) {
    this.#descriptor = descriptor;
    this.size = size;
  }

  varint(position: number): { value: number; next: number } {
    let value = 0;
    for (let index = 0; index < 10; index += 1) {
      const byte = this.#at(position + index);
      value += (byte % 128) * 2 ** (7 * index);
      if (byte < 128) return { value, next: position + index + 1 };
    }
    throw new Error('it is not a Protocol Buffers file');
  }

  text(start: number, end: number): string {
    if (end - start > MAX_TEXT_BYTES) throw new Error('a name in it is too long');
    const text = Buffer.alloc(end - start);
    readSync(this.#descriptor, text, 0, text.length, start);
    return text.toString('utf8');
  }

  #at(position: number): number {
    if (position < this.#start || position >= this.#start + this.#length) {
      this.#start = position;
      this.#length = readSync(this.#descriptor, this.#window, 0, WINDOW_BYTES, position);
    }
    const byte = this.#length === 0 ? undefined : this.#window[position - this.#start];
    if (byte === undefined) throw new Error('it is cut off');
    return byte;
  }
}
