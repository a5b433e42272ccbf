import type { CommandContext } from '../commands/context.ts';

/** Runs a command with everything it needs, and keeps its exit code. */
export type Run = (command: (context: CommandContext) => Promise<number>) => Promise<void>;
