import { Programs } from '../pipeline/programs.ts';
import type { CommandContext } from './command-context.ts';
import { notice } from './printing.ts';

/** What a command may run for its configuration file: anything that it tells of first, or nothing with `--no-commands`. */
export function programsOf(
  { commands }: { readonly commands?: boolean | undefined },
  context: CommandContext,
): Programs {
  return new Programs({ forbidden: commands === false, tell: (text) => notice(context, text) });
}
