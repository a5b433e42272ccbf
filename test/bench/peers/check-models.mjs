/**
 * Embeds the golden texts with the models that make-models.py made, through transformers.js, one text at a time, and
 * fails unless they are what they claim to be: node check-models.mjs MODELS_FOLDER MODEL GOLDEN_FILE
 */
import { readFile } from 'node:fs/promises';
import { env, pipeline } from '@huggingface/transformers';

const LEAST_COSINES = { fp32: 0.9999, q8: 0.97 };

const [modelsDirectory, model, goldenFile] = process.argv.slice(2);
const { items } = JSON.parse(await readFile(goldenFile, 'utf8'));
env.allowRemoteModels = false;
env.localModelPath = modelsDirectory;

for (const [dtype, leastCosine] of Object.entries(LEAST_COSINES)) {
  const extract = await pipeline('feature-extraction', model, { dtype });
  const cosines = [];
  for (const { text, vector } of items) {
    const { data } = await extract(text, { pooling: 'mean', normalize: true });
    cosines.push(vector.reduce((sum, value, index) => sum + value * data[index], 0));
  }
  const least = Math.min(...cosines);
  process.stdout.write(`${dtype}: cosine to the reference at least ${least.toFixed(6)}\n`);
  if (!(least >= leastCosine)) process.exitCode = 1;
}
