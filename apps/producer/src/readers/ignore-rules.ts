import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import ignore, { type Ignore } from 'ignore';

/** Files that say what is not to be read, in the syntax of git; of one folder, the later one has the last word. */
const RULE_FILES = ['.gitignore', '.embedlineignore'];

/** The rules that hold in a folder: those of the folders above it, then its own, which have the last word. */
export class IgnoreRules {
  /** What the paths of the rules are counted from. */
  readonly #base: string;
  readonly #rules: Ignore;

  private constructor(base: string, rules: Ignore) {
    this.#base = base;
    this.#rules = rules;
  }

  static none(base: string): IgnoreRules {
    return new IgnoreRules(base, ignore({ ignorecase: false }));
  }

  /**
   * Those that hold in the folder of a source, which are also those of the git repository around it, unless they would
   * keep out the folder that was named.
   * @throws RangeError for a file of rules that cannot be read
   */
  static async at(folder: string): Promise<IgnoreRules> {
    const repository = await repositoryOf(folder);
    const above = repository === null ? [] : foldersBetween(repository, folder);
    let rules = IgnoreRules.none(above[0] ?? folder);
    for (const one of above) rules = await rules.#within(one);
    if (above.length > 0 && rules.ignores(folder, true)) rules = IgnoreRules.none(folder);
    return rules.#within(folder);
  }

  /** Those that hold in a folder below. @throws RangeError for a file of rules that cannot be read */
  in(folder: string): Promise<IgnoreRules> {
    return this.#within(folder);
  }

  ignores(path: string, isFolder: boolean): boolean {
    const name = this.#name(path);
    return name !== '' && this.#rules.ignores(asBytes(isFolder ? `${name}/` : name));
  }

  async #within(folder: string): Promise<IgnoreRules> {
    const texts: string[] = [];
    for (const file of RULE_FILES) texts.push(await readRules(join(folder, file)));
    if (texts.every((text) => text === '')) return this;
    const lines = texts.flatMap((text) => text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/));
    const below = this.#name(folder);
    const own = below === '' ? lines : lines.map((line) => ruleBelow(line, below));
    const rules = ignore({ ignorecase: false }).add(this.#rules).add(own.map(asBytes));
    return new IgnoreRules(this.#base, rules);
  }

  #name(path: string): string {
    return relative(this.#base, path).split(sep).join('/');
  }
}

/** One character a byte: to git, `?` and `[!a]` are one byte, not one letter. */
function asBytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** What a rule of a folder means, seen from a folder above: one without a slash holds on every level. */
function ruleBelow(line: string, folder: string): string {
  if (line.trim() === '' || line.startsWith('#')) return '';
  const not = line.startsWith('!') ? '!' : '';
  const rule = line.slice(not.length);
  const prefix = `/${folder.replaceAll(/[\\*?[\] !#]/g, String.raw`\$&`)}`;
  const isAnchored = rule.trimEnd().slice(0, -1).includes('/');
  return `${not}${prefix}/${isAnchored ? rule.replace(/^\//, '') : `**/${rule}`}`;
}

async function readRules(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR' || code === 'ELOOP') return '';
    throw new RangeError(
      `${path} cannot be read (${code ?? String(cause)}), so what it keeps out cannot be told`,
      { cause },
    );
  }
}

/** The nearest folder above that holds a .git. */
async function repositoryOf(folder: string): Promise<string | null> {
  const hasGit = (path: string) =>
    stat(join(path, '.git')).then(
      () => true,
      () => false,
    );
  // A repository of its own has nothing to do with one around it.
  if (await hasGit(folder)) return null;
  for (let above = dirname(folder); ; above = dirname(above)) {
    if (await hasGit(above)) return above;
    if (above === dirname(above)) return null;
  }
}

/** From the first folder down to the one above the second. */
function foldersBetween(first: string, second: string): string[] {
  const folders: string[] = [];
  for (let folder = dirname(second); ; folder = dirname(folder)) {
    folders.unshift(folder);
    if (folder === first || folder === dirname(folder)) return folders;
  }
}
