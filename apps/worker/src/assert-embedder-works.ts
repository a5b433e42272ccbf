import { EmbedlineError, messageOf, type Embedder } from '@embedline/core';

const PLAIN_TEXT = 'A text that every model can embed.';

/**
 * Tells a text that cannot be embedded from a machine that embeds none.
 * @param failure what happened to the text in question
 * @throws EmbedlineError EMBEDDING_FAILED, retryable, when a plain text fails as well
 */
export async function assertEmbedderWorks(
  embedder: Embedder,
  failure: unknown,
  signal: AbortSignal,
): Promise<void> {
  try {
    await embedder.embed([PLAIN_TEXT], { signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new EmbedlineError(
      'EMBEDDING_FAILED',
      `No text can be embedded on this machine now, not even a plain one: ${messageOf(failure)}`,
      { cause, retryable: true },
    );
  }
}
