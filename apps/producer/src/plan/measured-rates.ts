import {
  ENGINE_NAMES,
  engineIdentity,
  readStateFile,
  writeStateEntry,
  type ModelSpec,
  type ResolvedModel,
  type RunProgress,
  type StateFile,
} from '@embedline/core';
import { z } from 'zod';

/** How fast a model was in the last run that was long enough to tell. */
const rateSchema = z.looseObject({
  model: z.string().max(200),
  tokensPerSecond: z.number().positive().max(1e9),
  /** ISO 8601, UTC. */
  measuredAt: z.string().max(64),
});
type StoredRate = z.infer<typeof rateSchema>;

export interface MeasuredRate extends StoredRate {
  /** The same files were measured under another engine, not this one. */
  readonly ofOtherEngine: boolean;
}

/** Of the format of `measured-rates.json`; see docs/formats.md. */
export const RATES_VERSION = 1;

const MAX_RATES = 200;

/** In a shorter run, starting the workers weighs too much. A first short one is better than nothing. */
const MIN_TELLING_SECONDS = 5;

/** The rate last measured for a model on behalf of this producer, else for its files under another engine, or null. */
export async function measuredRate(
  dataDirectory: string,
  { spec, filesHash }: Pick<ResolvedModel, 'spec' | 'filesHash'>,
): Promise<MeasuredRate | null> {
  const rates = await readRates(dataDirectory);
  const own = rates[keyOf(spec)];
  if (own !== undefined) return { ...own, ofOtherEngine: false };
  const others = ENGINE_NAMES.map(
    (engine) => rates[keyOf({ ...spec, ...engineIdentity(engine, filesHash) })],
  );
  const other = others.find((rate) => rate !== undefined);
  return other === undefined ? null : { ...other, ofOtherEngine: true };
}

/** Keeps what a finished run says of its model, in `measured-rates.json`; only estimates are made from it. */
export async function rememberRate(dataDirectory: string, run: RunProgress): Promise<void> {
  const seconds = ((run.endedAtMs ?? run.spec.startedAtMs) - run.spec.startedAtMs) / 1000;
  const { tokensEmbedded } = run.workers;
  if (tokensEmbedded === 0 || seconds <= 0) return;
  const rates = await readRates(dataDirectory);
  const key = keyOf(run.spec.model);
  if (seconds < MIN_TELLING_SECONDS && rates[key] !== undefined) return;
  const { id: model } = run.spec.model;
  const tokensPerSecond = tokensEmbedded / seconds;
  await writeStateEntry(stateOf(dataDirectory), key, {
    model,
    tokensPerSecond,
    measuredAt: new Date().toISOString(),
  });
}

async function readRates(dataDirectory: string): Promise<Readonly<Record<string, StoredRate>>> {
  const found = await readStateFile(stateOf(dataDirectory));
  return found.kind === 'newer' ? {} : found.entries;
}

function stateOf(dataDirectory: string): StateFile<StoredRate> {
  const name = 'measured-rates.json';
  return { home: dataDirectory, name, version: RATES_VERSION, entry: rateSchema, maxEntries: MAX_RATES };
}

function keyOf({ hash, dtype }: ModelSpec): string {
  return `${hash}/${dtype}`;
}
