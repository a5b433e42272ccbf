/**
 * An inference process: one engine with a model, nothing else. Inference is synchronous native code (hazards O1), so it
 * never shares a thread with anything that has to answer in time; and it is a process, not a thread, because ending a
 * thread inside onnxruntime's `run` aborts everything around it (O2).
 */
import { messageOf } from '../errors.ts';
import type { InferenceEngine } from './engine/inference-engine.ts';
import { openEngine } from './engine/open-engine.ts';
import type { InferenceRequest, InferenceResponse, InferenceSettings } from './inference-protocol.ts';

const waiting: InferenceRequest[] = [];
let working = false;

// Ctrl-C in a terminal reaches the whole process group; this process ends when its parent does, after its work.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

const engine = await start();
process.on('message', (message) => {
  waiting.push(message as InferenceRequest);
  void work();
});

async function start(): Promise<InferenceEngine> {
  try {
    const opened = await openEngine(JSON.parse(process.argv[2] ?? '{}') as InferenceSettings);
    send({ type: 'ready' });
    return opened;
  } catch (error) {
    send({ type: 'unusable', message: messageOf(error) });
    return new Promise(() => undefined);
  }
}

async function work(): Promise<void> {
  if (working) return;
  working = true;
  for (let request = waiting.shift(); request !== undefined; request = waiting.shift()) {
    const { id, ids, lengths } = request;
    try {
      const vectors = await engine.run(ids, lengths);
      send({ type: 'embedded', id, vectors, residentBytes: process.memoryUsage.rss() });
    } catch (error) {
      send({ type: 'failed', id, message: messageOf(error).slice(0, 500) });
    }
  }
  working = false;
}

function send(message: InferenceResponse): void {
  process.send?.(message);
}
