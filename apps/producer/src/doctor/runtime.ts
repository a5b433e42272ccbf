import { ok, problem, VERSION, type Finding } from '@embedline/core';
import type { Check } from './check.ts';

/** As scripts/run-with-node24.mjs demands: node:sqlite as the store needs it, and TypeScript without a build. */
const MIN_NODE = [24, 15] as const;
/** SQLite before this can corrupt a database in WAL mode (sqlite.org/wal.html, "WAL-reset bug"). */
const MIN_SQLITE = [3, 51, 3] as const;

/** What the programs themselves run on. */
export const runtime: Check = {
  name: 'runtime',
  examine: () => Promise.resolve(examineRuntime(process.versions)),
};

export function examineRuntime(versions: Readonly<Record<string, string | undefined>>): Finding[] {
  const { node = '0', sqlite = '0' } = versions;
  return [
    ok('embedline', VERSION),
    isAtLeast(node, MIN_NODE)
      ? ok('Node', `${node} (${process.execPath})`)
      : problem(
          'Node',
          `This is Node ${node}; embedline needs ${MIN_NODE.join('.')} or later.`,
          'Start it with npx embedline, which uses the Node of the project, or install a newer one.',
        ),
    isAtLeast(sqlite, MIN_SQLITE)
      ? ok('SQLite', sqlite)
      : problem(
          'SQLite',
          `Node has SQLite ${sqlite}; the store needs ${MIN_SQLITE.join('.')} or later.`,
          'Take a newer Node, or Qdrant (QDRANT_URL).',
        ),
  ];
}

function isAtLeast(version: string, minimum: readonly number[]): boolean {
  const parts = version.split('.').map(Number);
  for (const [index, least] of minimum.entries()) {
    const part = parts[index] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}
