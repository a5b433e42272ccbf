import { fieldsOf, numbersOf, type Field } from './protobuf.ts';

/** A constant of an ONNX graph. */
export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** A number of TensorProto.DataType. */
  readonly type: number;
  /** Little-endian elements, as they lie in the file. */
  readonly raw: Uint8Array;
}

export interface OnnxNode {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Numeric attributes. */
  readonly attributes: ReadonlyMap<string, number>;
}

export interface OnnxModel {
  readonly tensors: ReadonlyMap<string, OnnxTensor>;
  readonly nodes: readonly OnnxNode[];
}

const EMPTY: Uint8Array = new Uint8Array();
export const ONNX_FLOAT = 1;
export const ONNX_INT8 = 3;

/**
 * Reads the constants and nodes of an ONNX file. Nothing is copied.
 * @throws Error when the file is not a whole ONNX file
 */
export function readOnnxModel(file: Uint8Array): OnnxModel {
  const tensors = new Map<string, OnnxTensor>();
  const nodes: OnnxNode[] = [];
  for (const model of fieldsOf(file)) {
    if (model.number !== 7) continue;
    for (const field of fieldsOf(model.bytes)) {
      if (field.number === 1) nodes.push(readNode(field.bytes));
      if (field.number !== 5) continue;
      const tensor = readTensor(field.bytes);
      tensors.set(tensor.name, tensor);
    }
  }
  return { tensors, nodes };
}

function readTensor(message: Uint8Array): OnnxTensor {
  const shape: number[] = [];
  let [name, type] = ['', 0];
  let raw = EMPTY;
  for (const field of fieldsOf(message)) {
    if (field.number === 1) for (const size of numbersOf(field)) shape.push(size);
    if (field.number === 2) type = field.value;
    if (field.number === 8) name = textOf(field);
    if (field.number === 9 || field.number === 4) raw = field.bytes;
  }
  return { name, shape, type, raw };
}

function readNode(message: Uint8Array): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, number>();
  let operator = '';
  for (const field of fieldsOf(message)) {
    if (field.number === 1) inputs.push(textOf(field));
    if (field.number === 2) outputs.push(textOf(field));
    if (field.number === 4) operator = textOf(field);
    if (field.number === 5) readAttribute(field.bytes, attributes);
  }
  return { operator, inputs, outputs, attributes };
}

function readAttribute(message: Uint8Array, attributes: Map<string, number>): void {
  let [name, value] = ['', Number.NaN];
  for (const field of fieldsOf(message)) {
    if (field.number === 1) name = textOf(field);
    if (field.number === 2 && field.bytes.length === 4) value = floatOf(field.bytes);
    if (field.number === 3) value = field.value;
  }
  if (!Number.isNaN(value)) attributes.set(name, value);
}

function floatOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
}

function textOf(field: Field): string {
  return Buffer.from(field.bytes.buffer, field.bytes.byteOffset, field.bytes.byteLength).toString('utf8');
}
