import { z } from 'zod';
import { EmbedlineError } from '../../errors.ts';
import type { DecidingFiles } from './model-files.ts';
import { refuse } from './refuse.ts';

const side = z.looseObject({ direction: z.string().nullish() }).nullish();
const tokenizerSchema = z.looseObject({ padding: side, truncation: side });
const configSchema = z.looseObject({
  padding_side: z.string().nullish(),
  truncation_side: z.string().nullish(),
  model_max_length: z.number().positive().nullish(),
});

/**
 * Looks at the tokenizer of a transformer.
 * @returns the longest input in tokens that it was made for; null when it does not say
 * @throws EmbedlineError MODEL_NOT_FOUND without tokenizer.json; MODEL_INVALID
 */
export async function readTokenizerFiles(files: DecidingFiles): Promise<number | null> {
  const tokenizer = await files.readJson('tokenizer.json', tokenizerSchema);
  if (tokenizer === null) throw missing(files.place);
  const config = (await files.readJson('tokenizer_config.json', configSchema)) ?? {};
  const sides = {
    padding: [tokenizer.padding?.direction, config.padding_side],
    truncation: [tokenizer.truncation?.direction, config.truncation_side],
  };
  for (const [what, said] of Object.entries(sides))
    if (said.some((text) => text?.toLowerCase() === 'left'))
      throw refuse(
        files.place,
        `its tokenizer has ${what} on the left`,
        'Models of that kind pool the last token; take one with mean or CLS pooling.',
      );
  const longest = config.model_max_length ?? null;
  // "No limit" is written as 1e30.
  return longest !== null && longest < 1e6 ? Math.floor(longest) : null;
}

/** Looks for the tokenizer of a static model, which pads nothing. @throws EmbedlineError MODEL_NOT_FOUND */
export async function findStaticTokenizer(files: DecidingFiles): Promise<void> {
  if ((await files.find('tokenizer.json')) === null) throw missing(files.place);
  // Model2Vec writes none.
  await files.find('tokenizer_config.json');
}

function missing(place: string): EmbedlineError {
  return new EmbedlineError(
    'MODEL_NOT_FOUND',
    `The model in ${place} has no tokenizer.json, without which no text can be cut into tokens. Where there is only a ` +
      `vocab.txt or sentencepiece.bpe.model, write one in Python: ` +
      `transformers.AutoTokenizer.from_pretrained(FOLDER, use_fast=True).save_pretrained(FOLDER)`,
  );
}
