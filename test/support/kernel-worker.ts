import { parentPort, workerData } from 'node:worker_threads';
import { openKernel, type PackedWeights } from '@embedline/kernel';

/** Embeds one text in a worker thread, with weights that the main thread packed. */
const { weights, text } = workerData as { weights: PackedWeights; text: Int32Array };
const kernel = await openKernel({ weights });
const out = new Float32Array(kernel.dimensions);
kernel.embed(text, Int32Array.of(text.length), out);
parentPort?.postMessage(out, []);
