import type { Origin } from '@embedline/core';
import type { LeftOut } from './left-out.ts';
import type { ReadNote } from './read-item.ts';

/** What people have to be told of a reading, besides its documents and dead letters. Shown by plan, ingest and verify. */
export interface ReadingReport extends LeftOut {
  /** Folder from which the ids of text files are counted; null when each source's own is. */
  readonly idsFrom: string | null;
  /** How files were read where that had to be found out. */
  readonly forms: readonly {
    readonly what: string;
    readonly files: number;
    readonly sample: readonly string[];
  }[];
  /** Fields that metadata could not hold, and in how many records. */
  readonly metadataLeftOut: readonly {
    readonly field: string;
    readonly records: number;
    /** Of the first one. */
    readonly why: string;
    readonly at: string;
  }[];
  /** Rows of CSV that end before their header does, and the first of them. */
  readonly shortRows: { readonly rows: number; readonly at: string | null };
  /** Documents that were passed over because of `--on-duplicate first` or `last`. */
  readonly duplicates: number;
}

const SAMPLE_SIZE = 3;
/** More fields than any pipeline names; more forms than there are. */
const MOST_KINDS = 100;

/** Counts what is noted while a corpus is read, in bounded memory. */
export class ReadingNotes {
  readonly #forms = new Map<string, { files: number; sample: string[] }>();
  readonly #fields = new Map<string, { records: number; why: string; at: string }>();
  #shortRows = 0;
  #firstShortRow: string | null = null;
  duplicates = 0;

  add(note: ReadNote): void {
    const at = placeOf(note.origin);
    switch (note.about) {
      case 'form':
        return this.#addForm(note.what, at);
      case 'metadata':
        return this.#addField(note.field, note.what, at);
      case 'short-row':
        this.#shortRows += 1;
        this.#firstShortRow ??= at;
    }
  }

  report(leftOut: LeftOut, idsFrom: string | null): ReadingReport {
    return {
      ...leftOut,
      idsFrom,
      forms: [...this.#forms].map(([what, form]) => ({ what, ...form })),
      metadataLeftOut: [...this.#fields].map(([field, found]) => ({ field, ...found })),
      shortRows: { rows: this.#shortRows, at: this.#firstShortRow },
      duplicates: this.duplicates,
    };
  }

  #addForm(what: string, at: string): void {
    const form = this.#forms.get(what) ?? { files: 0, sample: [] };
    form.files += 1;
    if (form.sample.length < SAMPLE_SIZE) form.sample.push(at);
    if (this.#forms.size < MOST_KINDS) this.#forms.set(what, form);
  }

  #addField(field: string, why: string, at: string): void {
    const found = this.#fields.get(field);
    if (found !== undefined) found.records += 1;
    else if (this.#fields.size < MOST_KINDS) this.#fields.set(field, { records: 1, why, at });
  }
}

export function placeOf({ file, line }: Origin): string {
  return line === undefined ? file : `${file}:${line}`;
}
