import { Session, type Profiler } from 'node:inspector/promises';

/** A stage is what runs in, or was called from, files whose address matches; the innermost that matches counts. */
export type Stages = Readonly<Record<string, RegExp>>;

export interface StageProfile<T> {
  readonly result: T;
  /** CPU milliseconds of this thread by stage; `rest` is in no stage, `garbage` is the collector. */
  readonly cpuMs: Readonly<Record<string, number>>;
}

/** Runs something under the sampling profiler of V8, which sees through what runs at the same time, as clocks do not. */
export async function profileStages<T>(stages: Stages, work: () => Promise<T>): Promise<StageProfile<T>> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  // A tenth of the usual rate: the profiler shall not be what is measured.
  await session.post('Profiler.setSamplingInterval', { interval: 10_000 });
  await session.post('Profiler.start');
  const result = await work();
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  return { result, cpuMs: sumUp(profile, stages) };
}

function sumUp({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile, stages: Stages) {
  const parents = new Map<number, number>();
  for (const { id, children = [] } of nodes) for (const child of children) parents.set(child, id);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const stageOf = (id: number): string | null => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const { functionName = '', url = '' } = byId.get(at)?.callFrame ?? {};
      if (functionName === '(idle)') return null;
      if (functionName === '(garbage collector)') return 'garbage';
      const found = Object.entries(stages).find(([, pattern]) => pattern.test(url));
      if (found !== undefined) return found[0];
    }
    return 'rest';
  };
  const stageByNode = new Map(nodes.map(({ id }) => [id, stageOf(id)]));
  const cpuMs: Record<string, number> = Object.fromEntries(Object.keys(stages).map((stage) => [stage, 0]));
  for (const [index, id] of samples.entries()) {
    const stage = stageByNode.get(id) ?? null;
    if (stage !== null) cpuMs[stage] = (cpuMs[stage] ?? 0) + (timeDeltas[index] ?? 0) / 1000;
  }
  return cpuMs;
}
