/**
 * Stops a private Redis that nobody uses any more: its users may all have been killed, and then none is left to do it.
 * A process of its own, started beside the server with the file that says where it answers as its only argument. It
 * speaks to Redis by hand, because it should take next to nothing.
 */
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const POLL_MS = 2_000;
/** Polls in a row without a user: one whose server was restarted is back within four seconds. */
const UNUSED_POLLS = 4;
/** Polls in a row without an answer: the server is gone. */
const SILENT_POLLS = 3;

const [stateFile = '', leaseName = ''] = parseArgs({ allowPositionals: true }).positionals;
const text = await readFile(stateFile, 'utf8');
const { port, password } = JSON.parse(text) as { port: number; password: string };

let unused = 0;
let silent = 0;
while (silent < SILENT_POLLS) {
  await delay(POLL_MS);
  const clients = await ask('CLIENT LIST');
  silent = clients === null ? silent + 1 : 0;
  // An answer that lists nobody at all is an error of a server that still loads its data.
  if (clients === null || !clients.includes(' addr=')) continue;
  unused = clients.includes(` name=${leaseName} `) ? 0 : unused + 1;
  if (unused >= UNUSED_POLLS) await ask('SHUTDOWN NOSAVE');
}

/** What the server answers, or null when it does not. */
function ask(command: string): Promise<string | null> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 });
    const end = (result: string | null) => {
      socket.destroy();
      resolve(result);
    };
    socket.setEncoding('utf8').on('data', (part) => (answer += part));
    socket.on('error', () => end(null)).on('timeout', () => end(null));
    socket.on('close', () => end(answer === '' ? null : answer));
    socket.write(`AUTH ${password}\r\n${command}\r\nQUIT\r\n`);
  });
}
