/**
 * Runs one peer in a process of its own, so that its memory is its own. Loading the model and a first few texts are not
 * in the time.
 */
import { processCost } from '../process-cost.ts';
import type { PeerAnswer, PeerScript, PeerWork } from './peer.ts';

const WARM_UP_TEXTS = 4;

process.once('message', (work) => {
  void run(work as PeerWork)
    .catch((error: unknown): PeerAnswer => ({ failure: describe(error) }))
    .then((answer) => process.send?.(answer, () => process.disconnect()));
});

async function run({
  script,
  modelsDirectory,
  texts,
  collection,
  ...settings
}: PeerWork): Promise<PeerAnswer> {
  if (modelsDirectory !== null) {
    const { useLocalModels } = (await import(new URL('use-local-models.mjs', import.meta.url).href)) as {
      readonly useLocalModels: (directory: string) => void;
    };
    useLocalModels(modelsDirectory);
  }
  const { createPeer } = (await import(new URL(script, import.meta.url).href)) as PeerScript;
  const ingest = await createPeer(settings);
  await ingest(texts.slice(0, WARM_UP_TEXTS), `${collection}-warm-up`);
  const startedAt = performance.now();
  await ingest(texts, collection);
  const seconds = (performance.now() - startedAt) / 1000;
  return { seconds, peakRssMiB: processCost(process.pid)?.peakResidentMiB ?? 0 };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
