import { runCli } from './cli.ts';

const readConfig = async () => (await import('@embedline/core/search')).loadConfig();
// What could not be released in time must not hold the process.
process.exit(await runCli(process.argv.slice(2), readConfig));
