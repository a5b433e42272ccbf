import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelSpec, RunProgress } from '@embedline/core';
import { z } from 'zod';

/** How fast a model was in the last run that was long enough to tell. */
const rateSchema = z.object({
  model: z.string(),
  tokensPerSecond: z.number().positive(),
  /** ISO 8601, UTC. */
  measuredAt: z.string(),
});
export type MeasuredRate = z.infer<typeof rateSchema>;

const ratesSchema = z.record(z.string(), rateSchema);
type Rates = z.infer<typeof ratesSchema>;

/** In a shorter run, starting the workers weighs too much. A first short one is better than nothing. */
const MIN_TELLING_SECONDS = 5;

/** The rate last measured for a model on behalf of this producer, or null. */
export async function measuredRate(dataDirectory: string, model: ModelSpec): Promise<MeasuredRate | null> {
  return (await readRates(dataDirectory))[keyOf(model)] ?? null;
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
  rates[key] = { model, tokensPerSecond: tokensEmbedded / seconds, measuredAt: new Date().toISOString() };
  await writeRates(dataDirectory, rates);
}

async function readRates(dataDirectory: string): Promise<Rates> {
  const text = await readFile(fileOf(dataDirectory), 'utf8').catch(() => '{}');
  try {
    return ratesSchema.parse(JSON.parse(text));
  } catch {
    // Another version's or half a file: the next run measures again.
    return {};
  }
}

/** A disk that is full or read-only costs an estimate, not the run that is done. */
async function writeRates(dataDirectory: string, rates: Rates): Promise<void> {
  const file = fileOf(dataDirectory);
  const draft = `${file}.${process.pid}`;
  try {
    await mkdir(dataDirectory, { recursive: true });
    await writeFile(draft, `${JSON.stringify(rates, null, 2)}\n`);
    await rename(draft, file);
  } catch {
    return;
  }
}

function fileOf(dataDirectory: string): string {
  return join(dataDirectory, 'measured-rates.json');
}

function keyOf({ hash, dtype }: ModelSpec): string {
  return `${hash}/${dtype}`;
}
