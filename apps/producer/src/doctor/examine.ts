import { isEmbedlineError, messageOf, redactSecrets, type Finding } from '@embedline/core';
import type { Check, Surroundings } from './check.ts';

/**
 * Runs checks one after another; what a check throws is a problem of its own.
 * @throws the reason of the signal: what was cut short by it says nothing about what was examined
 */
export async function* examine(
  checks: readonly Check[],
  surroundings: Surroundings,
): AsyncGenerator<Finding> {
  const { signal } = surroundings.context;
  for (const { name, examine: look } of checks) {
    try {
      signal.throwIfAborted();
      const findings = await look(surroundings);
      signal.throwIfAborted();
      for (const finding of findings) yield withoutSecrets(finding);
    } catch (error) {
      signal.throwIfAborted();
      // The message of an EmbedlineError says what to do.
      const remedy = isEmbedlineError(error) ? null : 'This is a bug in embedline.';
      yield { check: name, verdict: 'problem', found: messageOf(error), remedy };
    }
  }
}

function withoutSecrets(finding: Finding): Finding {
  const { found, remedy } = finding;
  return { ...finding, found: redactSecrets(found), remedy: remedy === null ? null : redactSecrets(remedy) };
}
