import { glob, readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, type Program } from 'acorn';

export interface ParsedSource {
  /** Path from the root of the repository. */
  readonly file: string;
  readonly text: string;
  readonly program: Program;
}

/** The syntax trees of all sources of the product, for rules that no linter has. Positions are those of the file. */
export async function parseSources(): Promise<ParsedSource[]> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const files = await Array.fromAsync(glob('{packages,apps}/*/src/**/*.ts', { cwd: root }));
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(root, file), 'utf8');
      const program = parse(stripTypeScriptTypes(text), { ecmaVersion: 'latest', sourceType: 'module' });
      return { file, text, program };
    }),
  );
}
