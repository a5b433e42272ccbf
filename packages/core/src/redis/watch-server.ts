/**
 * Stops a private Redis that nobody uses any more: its users may all have been killed, and then none is left to do it.
 * A process of its own, started just before the server. Arguments: the file that says where the server answers, the name
 * of its users' connections, and the name of the connection by which users see that it is watched. It speaks to Redis
 * by hand, because it should take next to nothing.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const POLL_MS = 2_000;
/** So soon it is at the server: what happens to the socket later does not matter then. */
const FIRST_LOOK_MS = 100;
/** Polls in a row without a user: one whose server was restarted is back within four seconds. */
const UNUSED_POLLS = 4;
/** Polls in a row to which the port was closed: the server is gone. One that hangs is not. */
const CLOSED_POLLS = 4;

const [stateFile = '', leaseName = '', watcherName = ''] = parseArgs({ allowPositionals: true }).positionals;
const text = await readFile(stateFile, 'utf8');
const { socket: path, password } = JSON.parse(text) as { socket: string; password: string };

let unused = 0;
let closed = 0;
let presence: Socket | null = null;
for (let waitedMs = 0; waitedMs < POLL_MS; waitedMs += FIRST_LOOK_MS) {
  presence ??= beSeen();
  await delay(FIRST_LOOK_MS);
}
while (closed < CLOSED_POLLS) {
  await delay(POLL_MS);
  presence ??= beSeen();
  const clients = await ask('CLIENT LIST');
  closed = clients === 'closed' ? closed + 1 : 0;
  // The socket was removed, with its folder perhaps, while the server goes on: nobody else can reach it any more.
  if (closed === CLOSED_POLLS && presence?.readyState === 'open') await shutDown(presence);
  // An answer that lists nobody at all is an error of a server that still loads its data.
  if (!clients.includes(' addr=')) continue;
  unused = clients.includes(` name=${leaseName} `) ? 0 : unused + 1;
  if (unused >= UNUSED_POLLS) await ask('SHUTDOWN NOSAVE');
}
process.exit();

/** A connection that stays open, for users that look whether the server is watched. */
function beSeen(): Socket {
  const socket = connect({ path });
  socket.on('error', () => undefined).on('close', () => (presence = null));
  socket.resume().write(`AUTH ${password}\r\nCLIENT SETNAME ${watcherName}\r\n`);
  return socket;
}

async function shutDown(socket: Socket): Promise<void> {
  socket.write('SHUTDOWN NOSAVE\r\n');
  await Promise.race([once(socket, 'close'), delay(POLL_MS)]);
}

/** What the server answers: nothing when it hangs, 'closed' when nothing answers at its port. */
function ask(command: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ path, timeout: 1_000 });
    const end = (result: string) => {
      socket.destroy();
      resolve(result);
    };
    socket.setEncoding('utf8').on('data', (part) => (answer += part));
    socket.on('error', () => end('closed')).on('timeout', () => end(''));
    socket.on('close', () => end(answer));
    socket.write(`AUTH ${password}\r\n${command}\r\nQUIT\r\n`);
  });
}
