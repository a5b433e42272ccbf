import { assertSigned } from '../signing/signed-value.ts';
import type { SigningKeys } from '../signing/signing-keys.ts';
import { parseSpec } from './run-record.ts';
import type { RunSpec } from './run.ts';

/**
 * A run's specification for a program that acts on it; for one that shows it, a signature decides nothing.
 * @throws EmbedlineError RUN_INVALID, VERSION_UNSUPPORTED, SIGNATURE_REFUSED
 */
export function readActedSpec(text: string, runId: string, keys: SigningKeys | null): RunSpec {
  const spec = parseSpec(text, runId);
  assertSigned('run', { what: `Run ${runId}`, value: JSON.parse(text) as unknown, keys });
  return spec;
}
