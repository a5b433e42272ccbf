import type { BatchQueue, Chunk, ChunkableText, GenerationPoints } from '@embedline/core';
import type { Corpus } from '../../apps/producer/src/readers/corpus.ts';
import type { ReadItem } from '../../apps/producer/src/readers/read-item.ts';

type Stage = 'read' | 'chunk' | 'lookups' | 'texts' | 'enqueue';

/** CPU of this thread: what others on the machine do does not count. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Measures the stages of a producer from outside, at the ports between them. */
export class StageClock {
  readonly #ms: Record<Stage, number> = { read: 0, chunk: 0, lookups: 0, texts: 0, enqueue: 0 };
  chunks = 0;
  tokens = 0;

  corpus(corpus: Corpus): Corpus {
    const read = (signal?: AbortSignal) => this.#timed('read', corpus.read(signal));
    return Object.assign(Object.create(corpus) as Corpus, { read });
  }

  chunk(chunk: (document: ChunkableText) => Chunk[]): (document: ChunkableText) => Chunk[] {
    return (document) => {
      const startedAt = cpuMs();
      const chunks = chunk(document);
      this.#ms.chunk += cpuMs() - startedAt;
      this.chunks += chunks.length;
      for (const { tokens } of chunks) this.tokens += tokens;
      return chunks;
    };
  }

  points(points: GenerationPoints): GenerationPoints {
    return Object.assign(Object.create(points) as GenerationPoints, {
      generation: points.generation,
      fingerprints: this.#around('lookups', points.fingerprints.bind(points)),
      findByTextHash: this.#around('texts', points.findByTextHash.bind(points)),
      retrieve: this.#around('texts', points.retrieve.bind(points)),
      upsert: points.upsert.bind(points),
      count: points.count.bind(points),
    });
  }

  queue(queue: BatchQueue): BatchQueue {
    return { ...queue, enqueue: this.#around('enqueue', queue.enqueue.bind(queue)) };
  }

  perThousand(chunks: number, cpuSeconds: number): Record<string, number> {
    const all = { ...this.#ms, rest: cpuSeconds * 1000 - Object.values(this.#ms).reduce((a, b) => a + b) };
    return Object.fromEntries(Object.entries(all).map(([name, ms]) => [name, (ms * 1000) / chunks]));
  }

  #around<A extends unknown[], R>(
    stage: Stage,
    call: (...args: A) => Promise<R>,
  ): (...args: A) => Promise<R> {
    return async (...args) => {
      const startedAt = cpuMs();
      try {
        return await call(...args);
      } finally {
        this.#ms[stage] += cpuMs() - startedAt;
      }
    };
  }

  async *#timed(stage: Stage, items: AsyncGenerator<ReadItem>): AsyncGenerator<ReadItem> {
    for (;;) {
      const startedAt = cpuMs();
      const next = await items.next();
      this.#ms[stage] += cpuMs() - startedAt;
      if (next.done === true) return;
      yield next.value;
    }
  }
}
