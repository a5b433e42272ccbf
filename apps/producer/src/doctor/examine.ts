import { isEmbedlineError, messageOf, redactSecrets, type Finding } from '@embedline/core';
import type { Check, Surroundings } from './check.ts';

/** Runs checks one after another; what a check throws is a problem of its own. */
export async function* examine(
  checks: readonly Check[],
  surroundings: Surroundings,
): AsyncGenerator<Finding> {
  for (const { name, examine: look } of checks) {
    try {
      for (const finding of await look(surroundings)) yield withoutSecrets(finding);
    } catch (error) {
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
