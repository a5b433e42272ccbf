import type { PipelineInput } from './definition.ts';

export interface Starter {
  readonly name: string;
  readonly pipeline: Pick<PipelineInput, 'sources' | 'metadataFields' | 'schedule'>;
  /** The package that has `defineConfig`, when it can be imported from there. */
  readonly importFrom: string | null;
}

/** A configuration file with one pipeline and, as comments, what else could be said of it. */
export function starterTypescript({ name, pipeline, importFrom }: Starter): string {
  const { sources, metadataFields, schedule } = pipeline;
  const importLine = importFrom === null ? '' : `import { defineConfig } from '${importFrom}';\n\n`;
  const [open, close] = importFrom === null ? ['', ''] : ['defineConfig(', ')'];
  const scheduleLine =
    schedule === undefined
      ? `// schedule: { cron: '0 3 * * *', timeZone: 'Europe/Zurich', overlap: 'skip' },`
      : `schedule: ${inline(schedule)},`;
  const fieldsLine =
    metadataFields === undefined
      ? `// metadataFields: ['year', 'president=name'],`
      : `metadataFields: ${inline(metadataFields)},`;
  return `${importLine}// Check it with: embedline plan ${name}
// Run it with:   embedline ingest ${name}        (or --all)
export default ${open}{
  pipelines: {
    ${inline(name)}: {
      // Files, directories, globs, or the output of a command: { command: ['zcat', 'dump.jsonl.gz'] }.
      sources: ${inline(sources)},

      // The collection's name; by default that of the pipeline.
      // collection: ${inline(name)},

      // How records are read: jsonl, csv, text or markdown; by default by file ending.
      // format: 'jsonl', idField: 'id', textField: 'text', titleField: 'title',

      // Fields to keep with each chunk and to filter searches on.
      ${fieldsLine}

      // The model, and how texts are cut for it. Changing one of these builds a new generation.
      // model: './models/mine', dtype: 'q8', chunkTokens: 200, overlapTokens: 0,

      // Largest share of the points that one run may delete as vanished.
      // maxDelete: '20%',

      // When to run it; put into effect by: embedline serve
      ${scheduleLine}
    },
  },
}${close};
`;
}

/** The same without comments, which JSON does not have. */
export function starterJson({ name, pipeline }: Starter): string {
  return `${JSON.stringify({ pipelines: { [name]: pipeline } }, null, 2)}\n`;
}

/** A value as TypeScript, in single quotes. */
function inline(value: unknown): string {
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, one]) => one !== undefined);
    return `{ ${entries.map(([key, one]) => `${key}: ${inline(one)}`).join(', ')} }`;
  }
  return JSON.stringify(value);
}
