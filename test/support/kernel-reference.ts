import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readHeader, sectionsOf } from '@embedline/kernel';

/**
 * The forward pass, written from packages/kernel/ARITHMETIC.md alone, number by number and slowly. The tables of gelu are
 * read from that page.
 */
export class KernelReference {
  readonly #header;
  readonly #sections = new Map<string, Float32Array | Int8Array>();
  readonly #gelu: readonly Float32Array[];

  constructor(weights: Uint8Array) {
    this.#header = readHeader(weights);
    let at = 128;
    for (const { name, type, shape } of sectionsOf(this.#header)) {
      const count = shape.reduce((product, size) => product * size, 1);
      const bytes = weights.slice(at, at + count * (type === 'int8' ? 1 : 4)).buffer;
      this.#sections.set(name, type === 'int8' ? new Int8Array(bytes) : new Float32Array(bytes));
      at += Math.ceil((count * (type === 'int8' ? 1 : 4)) / 64) * 64;
    }
    this.#gelu = geluTables()[this.#header.activation === 'gelu' ? 0 : 1] ?? [];
  }

  /** The unit vector of one text. */
  embed(ids: Int32Array): Float32Array {
    const { hidden, layers, positionOffset, pooling } = this.#header;
    const [words, wordScale, positions] = ['words', 'word-scale', 'positions'].map((name) =>
      this.#get(name),
    ) as [Int8Array, Float32Array, Float32Array];
    let rows = Array.from(ids, (id, token) => {
      const scale = wordScale[id] ?? 0;
      const embedded = Float32Array.from({ length: hidden }, (_, i) =>
        add(
          f32((words[id * hidden + i] ?? 0) * scale),
          positions[(positionOffset + token) * hidden + i] ?? 0,
        ),
      );
      return this.#norm(embedded, 'norm');
    });
    for (let layer = 0; layer < layers; layer += 1) rows = this.#layer(rows, `layers.${layer}`);
    const taken = pooling === 'cls' ? rows.slice(0, 1) : rows;
    return unit(taken, hidden);
  }

  #layer(rows: Float32Array[], name: string): Float32Array[] {
    const { heads, hidden } = this.#header;
    const smooth = this.#get(`${name}.smooth-attention`);
    const qkv = rows.map((row) => this.#product(toBytes(times(row, smooth)), `${name}.qkv`));
    const contexts = rows.map(() => new Float32Array(hidden));
    for (let head = 0; head < heads; head += 1) attend(qkv, head, hidden, hidden / heads, contexts);
    return rows.map((row, token) => {
      const out = this.#product(toBytes(contexts[token] ?? row), `${name}.out`);
      const middle = this.#norm(plus(out, row), `${name}.norm-1`);
      const up = this.#product(toBytes(times(middle, this.#get(`${name}.smooth-feed`))), `${name}.up`);
      const down = this.#product(this.#activated(up), `${name}.down`);
      return this.#norm(plus(down, middle), `${name}.norm-2`);
    });
  }

  #norm(row: Float32Array, name: string): Float32Array {
    const [weight, bias] = [this.#get(`${name}.weight`), this.#get(`${name}.bias`)];
    const share = f32(1 / row.length);
    const mean = f32(twoSums(row) * share);
    const distance = row.map((value) => value - mean);
    const variance = twoSums(distance.map((value) => value * value));
    const r = f32(1 / f32(Math.sqrt(add(f32(variance * share), this.#header.normEpsilon))));
    return distance.map((value, i) => add(f32(f32(value * r) * (weight[i] ?? 0)), bias[i] ?? 0));
  }

  #product({ bytes, scale }: Quantized, name: string): Float32Array {
    const [weights, columnScale, bias] = ['weights', 'scale', 'bias'].map((part) =>
      this.#get(`${name}.${part}`),
    ) as [Int8Array, Float32Array, Float32Array];
    const columns = bias.length;
    return Float32Array.from({ length: columns }, (_, j) => {
      let sum = 0;
      for (const [k, value] of bytes.entries()) sum += value * (weights[k * columns + j] ?? 0);
      return add(f32(f32(f32(sum) * (columnScale[j] ?? 0)) * scale), bias[j] ?? 0);
    });
  }

  #activated(row: Float32Array): Quantized {
    const shift = this.#header.activationShift;
    const values = row.map((x) => {
      const v = Math.min(Math.abs(x), f32(3.87));
      const h = quarter(v);
      const [c0 = 0, c1 = 0, c2 = 0] = this.#gelu[4 * h] ?? [];
      const r = f32(v - h);
      return f32(Math.max(x, 0) - add(c0, f32(r * add(c1, f32(r * c2)))));
    });
    const scale = f32(add(Math.max(0, ...values), shift) * f32(1 / 255));
    const inverse = f32(1 / scale);
    return { bytes: Array.from(values, (value) => round(f32(add(value, shift) * inverse))), scale };
  }

  #get(name: string): Float32Array | Int8Array {
    const section = this.#sections.get(name);
    if (section === undefined) throw new Error(`no section ${name}`);
    return section;
  }
}

interface Quantized {
  readonly bytes: readonly number[];
  readonly scale: number;
}

const f32 = Math.fround;
const add = (a: number, b: number) => f32(a + b);
const plus = (a: Float32Array, b: Float32Array) => a.map((value, i) => value + (b[i] ?? 0));
const times = (a: Float32Array, b: ArrayLike<number>) => a.map((value, i) => value * (b[i] ?? 0));
const largest = (values: Iterable<number>) => Math.max(...Array.from(values, Math.abs));

function round(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

function quarter(x: number): number {
  return round(x * 4) / 4;
}

function toBytes(row: Float32Array, steps = 127): Quantized {
  const scale = add(f32(largest(row) * f32(1 / steps)), f32(1e-9));
  const inverse = f32(1 / scale);
  return { bytes: Array.from(row, (value) => round(f32(value * inverse))), scale };
}

function tree(lanes: Float32Array): number {
  const sums = Float32Array.from(lanes);
  for (const width of [8, 4, 2, 1])
    for (let i = 0; i < width; i += 1) sums[i] = (sums[i] ?? 0) + (sums[i + width] ?? 0);
  return sums[0] ?? 0;
}

function lanesOf(values: Float32Array, wanted: (chunk: number) => boolean = () => true): Float32Array {
  const lanes = new Float32Array(16);
  for (const [i, value] of values.entries())
    if (wanted(Math.floor(i / 16))) lanes[i % 16] = (lanes[i % 16] ?? 0) + value;
  return lanes;
}

function twoSums(values: Float32Array): number {
  const [even, odd] = [0, 1].map((parity) => lanesOf(values, (chunk) => chunk % 2 === parity)) as [
    Float32Array,
    Float32Array,
  ];
  return tree(plus(even, odd));
}

function exp2(x: number): number {
  const v = Math.max(x, -126);
  const h = quarter(v);
  const r = f32(v - h);
  const power = f32(
    bitsToFloat([0x3f800000, 0x3f9837f0, 0x3fb504f3, 0x3fd744fd][(((4 * h) % 4) + 4) % 4] ?? 0),
  );
  const factor = add(1, f32(r * add(bitsToFloat(0x3f319cbc), f32(r * bitsToFloat(0x3e761b7d)))));
  return f32(f32(power * 2 ** Math.floor(h)) * factor);
}

/** One head of one text: writes its part of the contexts. */
function attend(
  qkv: readonly Float32Array[],
  head: number,
  hidden: number,
  size: number,
  contexts: readonly Float32Array[],
): void {
  const part = (row: Float32Array, which: number, steps: number) =>
    toBytes(row.slice(which * hidden + head * size, which * hidden + (head + 1) * size), steps);
  const queries = qkv.map((row) => part(row, 0, 127));
  const keys = qkv.map((row) => part(row, 1, 63));
  const values = qkv.map((row) => part(row, 2, 63));
  const factor = f32(Math.LOG2E / Math.sqrt(size));
  const g = f32(65500 / Math.max(...values.map(({ scale }) => scale)));
  for (const [token, query] of queries.entries()) {
    const queryScale = f32(query.scale * factor);
    const x = keys.map((key) => {
      const product = key.bytes.reduce((sum, value, d) => sum + value * (query.bytes[d] ?? 0), 0);
      return f32(f32(product) * f32(queryScale * key.scale));
    });
    const top = Math.max(...x);
    const p = Float32Array.from(x, (value) => exp2(f32(value - top)));
    const inverse = f32(1 / f32(tree(lanesOf(p)) * g));
    const t = values.map(({ scale }, j) => round(f32((p[j] ?? 0) * f32(scale * g))));
    for (let d = 0; d < size; d += 1) {
      const sum = values.reduce((total, { bytes }, j) => total + (t[j] ?? 0) * (bytes[d] ?? 0), 0);
      (contexts[token] ?? new Float32Array())[head * size + d] = f32(sum) * inverse;
    }
  }
}

function unit(rows: readonly Float32Array[], hidden: number): Float32Array {
  const share = f32(1 / rows.length);
  const mean = rows.slice(1).reduce((sum, row) => plus(sum, row), rows[0] ?? new Float32Array(hidden));
  const pooled = mean.map((value) => value * share);
  const length = f32(Math.sqrt(tree(lanesOf(pooled.map((value) => value * value)))));
  const inverse = f32(1 / Math.max(length, f32(1e-12)));
  return pooled.map((value) => value * inverse);
}

function bitsToFloat(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0] ?? 0;
}

/** The two tables of the page: 16 rows of three numbers each. */
function geluTables(): Float32Array[][] {
  const page = readFileSync(
    fileURLToPath(new URL('../../packages/kernel/ARITHMETIC.md', import.meta.url)),
    'utf8',
  );
  const rows = [...page.matchAll(/^\| +\d+ +\| +`(\w{8})` +\| +`(\w{8})` +\| +`(\w{8})` +\|$/gm)].map(
    ([, ...bits]) => Float32Array.from(bits, (hex) => bitsToFloat(Number.parseInt(hex, 16))),
  );
  if (rows.length !== 32) throw new Error(`the page has ${rows.length} rows of gelu instead of 32`);
  return [rows.slice(0, 16), rows.slice(16)];
}
