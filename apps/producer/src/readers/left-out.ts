/** Files of the sources that are not read, by the reason. */
export interface LeftOut {
  /** Files that no reader takes. */
  readonly ignored: {
    readonly files: number;
    /** By ending, in lower case; `(none)` for names without one. Most frequent first. */
    readonly byEnding: Readonly<Record<string, number>>;
    readonly sample: readonly string[];
  };
  /** Links that were not followed. */
  readonly links: {
    readonly count: number;
    readonly sample: readonly { readonly path: string; readonly why: string }[];
  };
  /** Files and folders that a rule keeps out, by the rule; a folder counts once, whatever is in it. */
  readonly skipped: Readonly<Record<string, number>>;
}

/** Why a file or a folder is passed over. */
export type SkipRule = 'hidden' | 'node_modules' | '.gitignore or .embedlineignore' | '--exclude';

const SAMPLE_SIZE = 5;
const MOST_ENDINGS = 1000;

/** Counts what is left out, in bounded memory. */
export class LeftOutCounts {
  readonly #endings = new Map<string, number>();
  readonly #ignored: string[] = [];
  readonly #links: { path: string; why: string }[] = [];
  readonly #skipped = new Map<SkipRule, number>();
  #ignoredFiles = 0;
  #linkCount = 0;

  ignore(path: string): void {
    const ending = endingOf(path);
    this.#ignoredFiles += 1;
    if (this.#endings.has(ending) || this.#endings.size < MOST_ENDINGS)
      this.#endings.set(ending, (this.#endings.get(ending) ?? 0) + 1);
    if (this.#ignored.length < SAMPLE_SIZE) this.#ignored.push(path);
  }

  link(path: string, why: string): void {
    this.#linkCount += 1;
    if (this.#links.length < SAMPLE_SIZE) this.#links.push({ path, why });
  }

  skip(rule: SkipRule): void {
    this.#skipped.set(rule, (this.#skipped.get(rule) ?? 0) + 1);
  }

  report(): LeftOut {
    const byCount = [...this.#endings].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    return {
      ignored: { files: this.#ignoredFiles, byEnding: Object.fromEntries(byCount), sample: this.#ignored },
      links: { count: this.#linkCount, sample: this.#links },
      skipped: Object.fromEntries(this.#skipped),
    };
  }
}

/** `.html`, also of `a.HTML`; `.tar.gz`; `(none)`. */
function endingOf(path: string): string {
  const name = path.slice(path.search(/[^/\\]*$/)).toLowerCase();
  return /(?<=.)\.[^.]+(?:\.(?:gz|bz2|xz|zst))?$/.exec(name)?.[0] ?? '(none)';
}

/** `12 files ignored: .html 2, .pdf 1 ...` */
export function describeIgnored({ ignored: { files, byEnding } }: LeftOut, most = 5): string {
  const endings = Object.entries(byEnding);
  const named = endings.slice(0, most).map(([ending, count]) => `${ending} ${count}`);
  const more = endings.length > most ? ', ...' : '';
  return `${files} ${files === 1 ? 'file' : 'files'} ignored: ${named.join(', ')}${more}`;
}
