import { Releasers, loadTokenCounter, messageOf, ok, warning, type Finding } from '@embedline/core';
import type { PipelineDefinition } from '../pipeline/definition.ts';
import { findModel } from '../pipeline/find-model.ts';
import { openCorpus } from '../pipeline/open-corpus.ts';
import { unknownPercent, unknownTokensWarning } from '../terminal/unknown-tokens.ts';
import type { Check, Surroundings } from './check.ts';

/** As much of a corpus is looked at. */
const SAMPLE = { documents: 200, characters: 400_000, charactersOfDocument: 20_000 };

/** Whether the models of the configured pipelines know the words of their texts, by the first documents of each. */
export const texts: Check = {
  name: 'texts',
  examine: async (surroundings) => {
    const configured = await surroundings.file().catch(() => null);
    const findings: Finding[] = [];
    for (const definition of configured?.pipelines.values() ?? [])
      if (definition.sources.every(isFile)) findings.push(await examineTexts(definition, surroundings));
    return findings;
  },
};

/** Programs are not run for this, nor standard input read. */
function isFile(source: PipelineDefinition['sources'][number]): boolean {
  return typeof source === 'string' && source !== '-';
}

async function examineTexts(definition: PipelineDefinition, { context }: Surroundings): Promise<Finding> {
  const check = `texts of ${definition.name}`;
  try {
    const { documents, tokensCut, tokensUnknown } = await sample(definition, context);
    const counts = { tokensCut, tokensUnknown };
    const unknown = unknownTokensWarning(counts);
    if (unknown !== null) return warning(check, unknown, 'See "Which model" in the README.');
    const share = unknownPercent(counts) ?? 'none';
    return ok(check, `${share} of the tokens of the first ${documents} documents unknown to the model`);
  } catch (error) {
    context.signal.throwIfAborted();
    return warning(check, `They cannot be read: ${messageOf(error)}`, 'Correct its sources.');
  }
}

async function sample(definition: PipelineDefinition, context: Surroundings['context']) {
  const { config, stdin, signal } = context;
  await using releasers = new Releasers();
  const counter = await loadTokenCounter(await findModel(definition, config, { allowRemote: false }));
  const counts = { documents: 0, tokensCut: 0, tokensUnknown: 0 };
  let characters = 0;
  const items = (await openCorpus(definition, stdin)).read(signal);
  releasers.add(async () => {
    await items.return?.(undefined);
  });
  for await (const item of items) {
    if (item.type !== 'document') continue;
    const text = item.document.text.slice(0, SAMPLE.charactersOfDocument).toWellFormed();
    const { tokens, unknown } = counter.measure(text);
    counts.documents += 1;
    counts.tokensCut += tokens;
    counts.tokensUnknown += unknown;
    characters += text.length;
    if (counts.documents >= SAMPLE.documents || characters >= SAMPLE.characters) break;
  }
  return counts;
}
