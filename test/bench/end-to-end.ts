import type { ResolvedModel } from '@embedline/core';
import type { BenchCorpora } from './corpora.ts';
import { measureCeiling } from './ceiling.ts';
import { measurePeer, PEER_KINDS, type PeerKind } from './peers/peers.ts';
import type { PeerModels } from './peers/prepare-peers.ts';
import { BenchSystem, type BenchStore, type StageCosts } from './system.ts';

export type TextKind = keyof BenchCorpora;

/** One way to get texts embedded and stored, on one corpus; of all rounds. */
export interface Throughput {
  readonly texts: TextKind;
  readonly what: string;
  readonly textsPerSecond: number;
  /** Of the ceiling that was measured in the same round, the median. */
  readonly ofCeiling: number;
  /** CPU milliseconds per text by part, for embedline; it is what is missing to the ceiling. */
  readonly cpuMsPerText: StageCosts | null;
  /** Largest process of each part. */
  readonly residentMiB: Readonly<Record<string, number>>;
}

export interface EndToEndOptions {
  readonly corpora: BenchCorpora;
  readonly model: ResolvedModel;
  /** Null leaves the peers out. */
  readonly peers: PeerModels | null;
  readonly rounds: number;
  readonly texts: Readonly<Record<TextKind, number>>;
  /** Peers take longer: fewer texts are enough for a rate. */
  readonly peerTexts: Readonly<Record<TextKind, number>>;
  readonly processes: number;
  readonly tell: (text: string) => void;
}

const STORES: readonly BenchStore[] = ['sqlite', 'qdrant'];
const KINDS: readonly TextKind[] = ['long', 'short'];

interface Sample {
  readonly rate: number;
  readonly ofCeiling: number;
  readonly cpuMsPerText: StageCosts | null;
  readonly residentMiB: Record<string, number>;
}

type Measured = Omit<Sample, 'ofCeiling'> & { readonly what: string };

const CEILING = 'ceiling: bare onnxruntime';
const NO_COSTS = { cpuMsPerText: null, residentMiB: {} };

/** The ceiling, embedline with both stores, and what a user would otherwise write: in turn, so that ratios hold. */
export async function measureEndToEnd(options: EndToEndOptions): Promise<Throughput[]> {
  const samples = new Map<string, Sample[]>();
  const systems = new Map<BenchStore, BenchSystem>();
  try {
    for (const store of STORES) {
      const system = await BenchSystem.start(store);
      systems.set(store, system);
      await system.startWorkers(1, options.processes);
    }
    for (let round = 1; round <= options.rounds; round += 1)
      for (const kind of KINDS) {
        options.tell(`round ${round} of ${options.rounds}, ${kind} texts`);
        await measureRound(kind, options, systems, samples);
      }
  } finally {
    for (const system of systems.values()) await system.close();
  }
  return [...samples].map(([key, all]) => summarise(key, all));
}

async function measureRound(
  kind: TextKind,
  { corpora, model, peers, texts: amounts, peerTexts }: EndToEndOptions,
  systems: ReadonlyMap<BenchStore, BenchSystem>,
  samples: Map<string, Sample[]>,
): Promise<void> {
  const texts = corpora[kind].slice(0, amounts[kind]);
  const half = Math.ceil(texts.length / 2);
  const before = await measureCeiling(texts.slice(0, half), model);
  const measured: Measured[] = [];
  for (const [store, system] of systems) measured.push(await measureEmbedline(store, system, texts));
  for (const peer of peers === null ? [] : PEER_KINDS)
    measured.push(await measureOnePeer(peer, texts.slice(0, peerTexts[kind]), peers as PeerModels));
  const after = await measureCeiling(texts.slice(half), model);
  // On both sides of what is compared with it: what else a machine does changes within minutes.
  const ceiling = texts.length / (half / before + (texts.length - half) / after);
  for (const { what, ...rest } of [{ what: CEILING, rate: ceiling, ...NO_COSTS }, ...measured]) {
    const key = `${kind}|${what}`;
    samples.set(key, [...(samples.get(key) ?? []), { ...rest, ofCeiling: rest.rate / ceiling }]);
  }
}

async function measureEmbedline(
  store: BenchStore,
  system: BenchSystem,
  texts: readonly string[],
): Promise<Measured> {
  const { chunks, seconds, cpuMs, producerPeakMiB, workerMiB, inferenceMiB } = await system.ingest(texts);
  return {
    what: `embedline, ${store}`,
    rate: chunks / seconds,
    cpuMsPerText: perText(cpuMs, chunks),
    residentMiB: { producer: producerPeakMiB, worker: workerMiB, inference: inferenceMiB },
  };
}

async function measureOnePeer(
  peer: PeerKind,
  texts: readonly string[],
  models: PeerModels,
): Promise<Measured> {
  const { texts: count, seconds, peakRssMiB } = await measurePeer(peer, texts, models);
  return { what: peer, rate: count / seconds, cpuMsPerText: null, residentMiB: { process: peakRssMiB } };
}

function perText(cpuMs: StageCosts, texts: number): StageCosts {
  const { producer, worker, inference, redis, store } = cpuMs;
  return {
    producer: producer / texts,
    worker: worker / texts,
    inference: inference / texts,
    redis: redis / texts,
    store: store / texts,
  };
}

function summarise(key: string, samples: readonly Sample[]): Throughput {
  const [texts, what] = key.split('|') as [TextKind, string];
  const middle = samples.toSorted((a, b) => a.ofCeiling - b.ofCeiling)[Math.floor(samples.length / 2)];
  return {
    texts,
    what,
    textsPerSecond: median(samples.map(({ rate }) => rate)),
    ofCeiling: median(samples.map(({ ofCeiling }) => ofCeiling)),
    cpuMsPerText: middle?.cpuMsPerText ?? null,
    residentMiB: middle?.residentMiB ?? {},
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
  return ((low ?? NaN) + (high ?? NaN)) / 2;
}
