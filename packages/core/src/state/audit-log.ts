import { hostname, userInfo } from 'node:os';
import { safeJson } from '../safe-text.ts';
import { appendLine, type AppendFile } from './append-file.ts';

/** What cannot be taken back, or was let pass by a person. */
export type AuditAction =
  | 'points-deleted'
  | 'generations-dropped'
  | 'rolled-back'
  | 'approved-above-guard'
  | 'dead-letters-dropped'
  | 'run-cancelled'
  | 'runs-pruned';

/** One thing that was done: names and counts, never texts or secrets. */
export interface AuditEvent {
  readonly action: AuditAction;
  /** Of embedline, e.g. `collections drop`. */
  readonly command: string;
  readonly collection?: string;
  readonly pipeline?: string;
  readonly run?: string;
  /** Physical names. */
  readonly generations?: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** An event with who, where and when, as a line of the log has it. */
export interface AuditRecord extends AuditEvent {
  readonly version: 1;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Name of the user of the operating system, or its number. */
  readonly user: string;
  readonly host: string;
  readonly pid: number;
}

const MAX_BYTES = 10 * 1024 * 1024;
const MAX_OLDER = 5;

/** The log of this folder of state. */
export function auditFile(home: string): AppendFile {
  return { home, name: 'audit.jsonl', maxBytes: MAX_BYTES, maxOlder: MAX_OLDER };
}

/**
 * Notes what was done, once it is done, in `audit.jsonl` of the folder of state.
 * @throws Error when it cannot be written
 */
export function writeAudit(home: string, event: AuditEvent): AuditRecord {
  const record: AuditRecord = {
    version: 1,
    at: new Date().toISOString(),
    user: userName(),
    host: hostname(),
    pid: process.pid,
    ...event,
  };
  appendLine(auditFile(home), safeJson(record));
  return record;
}

/** In a container, a number may be all that a user has. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
