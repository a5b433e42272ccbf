/** Builds ONNX files out of Protocol Buffers messages, as far as the tests need them. */
export interface OnnxFile {
  readonly inputs?: readonly OnnxTensorType[];
  readonly outputs?: readonly OnnxTensorType[];
  /** Names of initializers; each with the file that it lies in, or null for this one. */
  readonly initializers?: Readonly<Record<string, string | null>>;
  /** Files of tensors that stand in a subgraph of a node. */
  readonly nested?: readonly string[];
}

export interface OnnxTensorType {
  readonly name: string;
  /** Defaults to 1, float32; 7 is int64. */
  readonly type?: number;
  /** Names for sizes that vary. */
  readonly shape?: readonly (number | string)[];
}

export function encodeOnnx({
  inputs = [{ name: 'input_ids', type: 7, shape: ['batch', 'tokens'] }],
  outputs = [{ name: 'last_hidden_state', shape: ['batch', 'tokens', 8] }],
  initializers = {},
  nested = [],
}: OnnxFile): Uint8Array {
  const tensors = Object.entries(initializers).map(([name, location]) => field(5, tensor(name, location)));
  const subgraphs = nested.map((location) =>
    field(1, field(5, field(6, field(1, field(5, field(5, tensor('inner', location))))))),
  );
  const graph = [
    ...subgraphs,
    ...tensors,
    ...inputs.map((value) => field(11, valueInfo(value))),
    ...outputs.map((value) => field(12, valueInfo(value))),
  ];
  return Buffer.concat([varintField(1, 8), field(7, Buffer.concat(graph))]);
}

function tensor(name: string, location: string | null): Buffer {
  const weights = field(9, Buffer.alloc(100_000, 0xff));
  const entries = Object.entries({ location: location ?? '', offset: '0' });
  const external = entries.map(([key, value]) => field(13, Buffer.concat([text(1, key), text(2, value)])));
  const data = location === null ? [weights] : [...external, varintField(14, 1)];
  return Buffer.concat([varintField(1, 4), varintField(2, 1), text(8, name), ...data]);
}

function valueInfo({ name, type = 1, shape }: OnnxTensorType): Buffer {
  const sizes = shape?.map((size) =>
    field(1, typeof size === 'number' ? varintField(1, size) : text(2, size)),
  );
  const shapes = sizes === undefined ? [] : [field(2, Buffer.concat(sizes))];
  const tensorType = Buffer.concat([varintField(1, type), ...shapes]);
  return Buffer.concat([text(1, name), field(2, field(1, tensorType))]);
}

function text(number: number, value: string): Buffer {
  return field(number, Buffer.from(value));
}

function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);
}

function varintField(number: number, value: number): Buffer {
  return Buffer.concat([varint(number * 8), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}
