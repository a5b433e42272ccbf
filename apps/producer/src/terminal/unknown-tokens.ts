/** Tokens of texts, and those among them that the model does not know. */
export interface UnknownTokens {
  readonly tokensCut: number;
  readonly tokensUnknown: number;
}

/** Beyond this, texts are found badly: the model sees the same token for different words. */
const MAX_SHARE = 0.05;

/** What programs get: `share` is 0 to 1, null when no text was cut. */
export function unknownTokensJson({ tokensCut, tokensUnknown }: UnknownTokens): object {
  const share = tokensCut === 0 ? null : Number((tokensUnknown / tokensCut).toFixed(4));
  return { of: tokensCut, unknown: tokensUnknown, share };
}

/** Percent of the tokens that were cut, e.g. `7.4 %`; null when there are none. */
export function unknownPercent({ tokensCut, tokensUnknown }: UnknownTokens): string | null {
  if (tokensUnknown === 0) return null;
  const percent = (100 * tokensUnknown) / tokensCut;
  return `${percent < 0.1 ? 'less than 0.1' : percent.toFixed(1)} %`;
}

/** What is wrong, and what to do about it; null for a share that is usual. */
export function unknownTokensWarning(counts: UnknownTokens): string | null {
  if (counts.tokensCut === 0 || counts.tokensUnknown / counts.tokensCut <= MAX_SHARE) return null;
  return (
    `${unknownPercent(counts) ?? ''} of the tokens are unknown to this model: texts in a language or script that it does not know ` +
    `are found badly or not at all. Take another model, e.g. a multilingual one: --model.`
  );
}
