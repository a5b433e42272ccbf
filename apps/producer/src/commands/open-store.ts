import type { Patience, VectorStore } from '@embedline/core';
import { IMPATIENT, type Releasers } from '@embedline/core/base';
import { openVectorStore } from '@embedline/core/search';
import type { CommandContext } from './command-context.ts';
import { notice } from './printing.ts';

export async function openStore(
  context: CommandContext,
  releasers: Releasers,
  patience: Patience = IMPATIENT,
): Promise<VectorStore> {
  const onWarning = (text: string) => notice(context, text);
  return releasers.own(await openVectorStore(context.config, { onWarning, patience }));
}

/** The store for a command that writes nothing: it makes no files either. */
export async function openStoreForReading(
  context: CommandContext,
  releasers: Releasers,
  onWarning = (text: string) => notice(context, text),
): Promise<VectorStore> {
  return releasers.own(await openVectorStore(context.config, { onWarning, readOnly: true }));
}
