import { expect } from 'vitest';
import type { TestBench } from './cli.ts';
import { runInProcess } from './in-process-cli.ts';

/** What doctor finds of one check; it must be there. */
export async function finding(bench: TestBench, check: string, env: Record<string, string> = {}) {
  const { code, json } = await runInProcess(bench, ['doctor', '--json'], env);
  const one = json.find((each) => each['check'] === check);
  expect(one, JSON.stringify(json)).toBeDefined();
  return { code, ...one };
}
