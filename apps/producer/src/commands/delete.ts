import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { EmbedlineError, messageOf, Releasers } from '@embedline/core';
import { deleteDocuments } from '../ingest/change-documents.ts';
import { liveGeneration } from '../ingest/live-generation.ts';
import { formatCount } from '../terminal/format.ts';
import { safeText } from '../terminal/safe-text.ts';
import { audit } from './audit.ts';
import {
  EXIT,
  notice,
  openRunServices,
  openStore,
  printJson,
  printLine,
  type CommandContext,
} from './context.ts';

export interface DeleteFlags {
  readonly collection: string;
  readonly pipeline?: string;
  readonly id: readonly string[];
  /** A file with an id a line, or - for standard input. */
  readonly idsFrom?: string;
  readonly wait?: true;
  readonly json?: true;
}

/** `embedline delete`: every point of some documents. @returns the exit code */
export async function deleteCommand(flags: DeleteFlags, context: CommandContext): Promise<number> {
  const ids = [...flags.id, ...(flags.idsFrom === undefined ? [] : await readIds(flags.idsFrom, context))];
  if (ids.length === 0)
    throw new EmbedlineError(
      'USAGE',
      'Nothing to delete: name documents with --id, or a list of them with --ids-from.',
    );
  await using releasers = new Releasers();
  const store = await openStore(context, releasers);
  // Told before a Redis is started for it.
  await liveGeneration(store, flags.collection);
  const { redis } = await openRunServices(context, releasers);
  const { documents, chunks, notFound } = await deleteDocuments(ids, {
    store,
    redis,
    prefix: context.config.prefix,
    collection: flags.collection,
    doing: 'a deletion of documents',
    pipeline: flags.pipeline ?? flags.collection,
    wait: flags.wait === true,
    signal: context.signal,
    onNotice: (text) => notice(context, text),
  });
  if (chunks > 0)
    audit(context, {
      action: 'points-deleted',
      command: 'delete',
      collection: flags.collection,
      pipeline: flags.pipeline ?? flags.collection,
      counts: { points: chunks, documents },
    });
  if (flags.json === true) {
    printJson(context.stdout, { type: 'deleted', documents, chunks, notFound });
    return EXIT.done;
  }
  printLine(
    context.stdout,
    `Deleted ${formatCount(documents)} documents (${formatCount(chunks)} chunks) of ${flags.collection}. ` +
      `An ingest brings back what is still in the corpus.`,
  );
  if (notFound.length > 0)
    notice(
      context,
      `Not there: ${notFound
        .slice(0, 10)
        .map((id) => safeText(JSON.stringify(id)))
        .join(', ')}${notFound.length > 10 ? ` and ${notFound.length - 10} more` : ''}`,
    );
  return EXIT.done;
}

async function readIds(from: string, { cwd, stdin }: CommandContext): Promise<string[]> {
  const input = from === '-' ? stdin : createReadStream(resolve(cwd, from));
  try {
    const ids: string[] = [];
    const failed = new Promise<never>((_, reject) => input.once('error', reject));
    const lines = async () => {
      for await (const line of createInterface({ input, crlfDelay: Infinity }))
        if (line !== '') ids.push(line);
    };
    await Promise.race([lines(), failed]);
    return ids;
  } catch (cause) {
    throw new EmbedlineError(
      'SOURCE_UNREADABLE',
      `The list of ids ${from} cannot be read: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
}
