import { runCli } from './cli.ts';

const readConfig = async (configFile: string | undefined) =>
  (await import('@embedline/core/search')).loadConfig(undefined, undefined, configFile);
// What could not be released in time must not hold the process.
process.exit(await runCli(process.argv.slice(2), readConfig));
