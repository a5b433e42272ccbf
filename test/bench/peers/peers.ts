import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { QdrantClient } from '@qdrant/js-client-rest';
import { forkQdrantDouble } from '../../support/qdrant-double/forked.ts';
import type { PeerAnswer, PeerWork } from './peer.ts';
import type { PeerModels } from './prepare-peers.ts';

/** What a user would otherwise write, each with the script that says how. */
export const PEERS = {
  'transformers.js, 32 at a time, default (fp32)': { script: 'transformers-loop.mjs', dtype: null },
  'transformers.js, 32 at a time, q8': { script: 'transformers-loop.mjs', dtype: 'q8' },
  'LangChain.js, fromDocuments, default (fp32)': { script: 'langchain.mjs', dtype: null },
} as const;

export type PeerKind = keyof typeof PEERS;

export interface PeerMeasurement {
  readonly texts: number;
  /** From the first text to the last stored point; the model is loaded before. */
  readonly seconds: number;
  /** Largest resident memory of the peer's process, the model included. */
  readonly peakRssMiB: number;
}

export const PEER_KINDS = Object.keys(PEERS) as PeerKind[];

/**
 * Lets a peer embed texts and store them in the Qdrant double, each in a process of its own.
 * @throws Error with what the peer failed with, or when it has not stored every text
 */
export async function measurePeer(
  kind: PeerKind,
  texts: readonly string[],
  models: PeerModels,
): Promise<PeerMeasurement> {
  const double = await forkQdrantDouble();
  try {
    const collection = 'bench';
    const answer = await runPeer({ ...PEERS[kind], ...models, qdrantUrl: double.url, texts, collection });
    if ('failure' in answer) throw new Error(`${kind} failed: ${answer.failure}`);
    const { count } = await new QdrantClient({ url: double.url }).count(collection, { exact: true });
    if (count !== texts.length) throw new Error(`${kind} stored ${count} of ${texts.length} texts`);
    return { texts: texts.length, ...answer };
  } finally {
    await double.close();
  }
}

async function runPeer(work: PeerWork): Promise<PeerAnswer> {
  const program = fileURLToPath(new URL('./peer-process.ts', import.meta.url));
  const child = fork(program, { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  child.send(work);
  const ended = once(child, 'exit').then(([code, signal]): PeerAnswer => ({
    failure: `its process ended with ${String(signal ?? code)}`,
  }));
  const answered = once(child, 'message').then(([answer]) => answer as PeerAnswer);
  try {
    return await Promise.race([answered, ended]);
  } finally {
    await ended;
  }
}
