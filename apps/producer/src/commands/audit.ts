import { messageOf, writeAudit, type AuditEvent } from '@embedline/core';
import type { CommandContext } from './command-context.ts';
import { notice, printJson } from './printing.ts';

/**
 * Notes what a command has done that cannot be taken back. What was done stays done where that cannot be noted, which is told.
 * @param options.json print it on stdout as well, for the program that started this one
 */
export function audit(context: CommandContext, event: AuditEvent, { json = false } = {}): void {
  try {
    const record = writeAudit(context.config.dataDirectory, event);
    if (json) printJson(context.stdout, { type: 'audit', ...record });
  } catch (error) {
    notice(context, `The audit log could not be written (${event.action}): ${messageOf(error)}`);
  }
}
