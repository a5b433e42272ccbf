/**
 * Reads every text, Markdown, CSV, TSV and JSON lines file below some folders as embedline does, cuts it with the shipped
 * model's tokenizer, and checks that nothing is lost:
 *
 *   npm run check-files -- /usr/share node_modules
 *
 * Each character of a document's body that is not blank must be in a chunk, offsets must cut a chunk's text out of the file,
 * and no chunk may have more tokens than the model takes. Hidden files and what rules keep out are read too. Nothing is
 * embedded and nothing is written. Prints what was refused or ignored, by cause. Exits with 1 when a check fails, with 2
 * when the folders cannot be read.
 */
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  createChunker,
  DEFAULT_MODEL_ID,
  EmbedlineError,
  loadTokenCounter,
  parseChunkingOptions,
  resolveModel,
} from '@embedline/core';
import { safeText } from '../../apps/producer/src/terminal/safe-text.ts';
import { checkFiles } from './check-files.ts';
import { renderCheck } from './render-check.ts';

const { positionals: folders } = parseArgs({ allowPositionals: true, options: {} });
process.exitCode = await main().catch((error: unknown) => {
  if (!(error instanceof EmbedlineError)) throw error;
  process.stderr.write(`error: ${safeText(error.message)}\n`);
  return 2;
});

async function main(): Promise<number> {
  if (folders.length === 0)
    throw new EmbedlineError('USAGE', 'Name the folders to check: npm run check-files -- DIR...');
  const modelsDirectory = fileURLToPath(new URL('../../models', import.meta.url));
  const model = await resolveModel({ id: DEFAULT_MODEL_ID, modelsDirectory, dataDirectory: modelsDirectory });
  const counter = await loadTokenCounter(model);
  const { maxTokens } = model.spec;
  const chunk = createChunker(parseChunkingOptions({}, maxTokens), counter);
  const start = performance.now();
  const checked = await checkFiles({ folders, cwd: process.cwd(), chunk, limits: { counter, maxTokens } });
  const seconds = (performance.now() - start) / 1000;
  process.stdout.write(`${renderCheck(checked, seconds).map(safeText).join('\n')}\n`);
  return checked.violations.length > 0 ? 1 : 0;
}
