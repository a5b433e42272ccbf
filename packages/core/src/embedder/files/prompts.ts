import { z } from 'zod';
import type { ModelFamily } from './known-families.ts';
import type { DecidingFiles } from './model-files.ts';
import { refuse } from './refuse.ts';

export interface Prompts {
  readonly passagePrefix: string;
  readonly queryPrefix: string;
  /** For people who should know that texts may want a prompt that they do not get. */
  readonly warnings: readonly string[];
}

const promptsSchema = z.looseObject({
  prompts: z.record(z.string(), z.string()).nullish(),
  default_prompt_name: z.string().nullish(),
  similarity_fn_name: z.string().nullish(),
});

/** As sentence-transformers looks for the prompt of documents, in this order. */
const PASSAGE_NAMES = ['document', 'passage', 'corpus'];
const MAX_PROMPT_CHARACTERS = 1000;
/** Cosine ranks as these do, where vectors have unit length; the others rank by length as well. */
const BY_ANGLE = new Set(['cosine', 'cos_sim', 'cos']);

/**
 * Reads what is put before texts, from config_sentence_transformers.json.
 * @param normalizes whether the model's own vectors have unit length; null when its files do not say
 * @throws EmbedlineError MODEL_INVALID for a model that is compared by more than the angle of its vectors
 */
export async function readPrompts(
  files: DecidingFiles,
  { family, normalizes }: { readonly family: ModelFamily | null; readonly normalizes: boolean | null },
): Promise<Prompts> {
  const config = (await files.readJson('config_sentence_transformers.json', promptsSchema)) ?? {};
  const prompts = new Map(Object.entries(config.prompts ?? {}));
  const byDefault = config.default_prompt_name ?? null;
  if (byDefault !== null && !prompts.has(byDefault))
    throw refuse(
      files.place,
      `config_sentence_transformers.json has default_prompt_name ${JSON.stringify(byDefault)}, but no prompt of that name`,
      'Correct the file.',
    );
  const fallback = prompts.get(byDefault ?? '') ?? '';
  const queryPrefix = prompts.get('query') ?? fallback;
  const passageName = PASSAGE_NAMES.find((name) => prompts.has(name)) ?? '';
  const passagePrefix = prompts.get(passageName) ?? fallback;
  const long = [queryPrefix, passagePrefix].find((prompt) => prompt.length > MAX_PROMPT_CHARACTERS);
  if (long !== undefined)
    throw refuse(
      files.place,
      `a prompt of config_sentence_transformers.json has ${long.length} characters, more than ${MAX_PROMPT_CHARACTERS}`,
      'Shorten it.',
    );
  const similarity = config.similarity_fn_name ?? 'cosine';
  if (normalizes !== true && !BY_ANGLE.has(similarity))
    throw refuse(
      files.place,
      `its vectors have no unit length and are compared by ${similarity}`,
      'Take a model that is compared by cosine.',
    );
  const warnings =
    queryPrefix === '' && passagePrefix === '' ? warningsOf([...prompts], family, files.place) : [];
  return { passagePrefix, queryPrefix, warnings };
}

function warningsOf(
  prompts: readonly (readonly [string, string])[],
  family: ModelFamily | null,
  place: string,
): string[] {
  const others = prompts.filter(([, prompt]) => prompt !== '').map(([name]) => name);
  if (others.length > 0)
    return [
      `${place} has prompts (${others.join(', ')}), but none named query, document or passage: texts are embedded without. ` +
        `Name the ones to use in its config_sentence_transformers.json.`,
    ];
  if (family === null || (family.queryPrefix === '' && family.passagePrefix === '')) return [];
  const wanted = JSON.stringify({
    prompts: { query: family.queryPrefix, passage: family.passagePrefix },
  });
  return [
    `${place} looks like a model of the ${family.name} family, which is trained with prompts, but its files have none: texts ` +
      `are embedded without and are found less well. Put them into its config_sentence_transformers.json: ${wanted}`,
  ];
}
