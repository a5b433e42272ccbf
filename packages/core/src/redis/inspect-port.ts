import { createConnection } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

/** A TCP port, or a Unix socket. */
export type Port = { readonly host: string; readonly port: number } | { readonly path: string };

/** What seems to answer on a port. */
export type Peer =
  | { readonly kind: 'http' | 'silent' | 'slow' | 'closed' }
  /** Without TLS, with its first line. */
  | { readonly kind: 'redis'; readonly said: string }
  /** With the error that ended the handshake, if we spoke TLS too. */
  | { readonly kind: 'tls'; readonly error: Error | null }
  /** Another program, with the beginning of what it says. */
  | { readonly kind: 'other'; readonly greeting: string };

const PATIENCE_MS = 1_500;
const MAX_BYTES = 4096;

interface Heard {
  /** The first line, or what came of it in time, as Latin-1. */
  readonly said: string;
  readonly connected: boolean;
  readonly closed: boolean;
  readonly error: NodeJS.ErrnoException | null;
}

/**
 * Finds out what answers on a port where a login to Redis failed. It sends PING and nothing else, and that again within
 * TLS: no password goes to an unknown program.
 * @param tls how we wanted to speak TLS; null when we did not
 * @returns null when nobody takes a connection
 */
export async function inspectPort(port: Port, tls: ConnectionOptions | null): Promise<Peer | null> {
  if (tls !== null) {
    const within = await hear(port, tls);
    if (within.error !== null && /ALERT/.test(within.error.code ?? ''))
      return { kind: 'tls', error: within.error };
  }
  const { said, connected, closed } = await hear(port, null);
  if (!connected) return null;
  if (said.startsWith('HTTP/')) return { kind: 'http' };
  if (/^(\+PONG|-[A-Z]+ .*)\r?\n/.test(said)) return { kind: 'redis', said: said.slice(1) };
  if (said === '' || said.startsWith('\x15\x03')) {
    if (await speaksTls(port)) return { kind: 'tls', error: null };
    return { kind: closed ? 'closed' : 'silent' };
  }
  if (/^[+\-$:*%_,#!=(~>|]/.test(said) && !said.includes('\n')) return { kind: 'slow' };
  return { kind: 'other', greeting: printable(said) };
}

async function hear(port: Port, tls: ConnectionOptions | null): Promise<Heard> {
  const socket = tls === null ? createConnection(port) : connectTls({ ...port, ...tls });
  let said = '';
  let [connected, closed] = [false, false];
  let error: NodeJS.ErrnoException | null = null;
  const done = new Promise<void>((resolve) => {
    socket.on('data', (block: Buffer) => {
      said = (said + block.toString('latin1')).slice(0, MAX_BYTES);
      if (said.includes('\n') || said.length === MAX_BYTES) resolve();
    });
    socket.on('connect', () => (connected = true));
    socket.on('error', (reason) => (error ??= reason));
    socket.on('close', () => {
      closed = true;
      resolve();
    });
  });
  socket.on(tls === null ? 'connect' : 'secureConnect', () => socket.write('PING\r\n'));
  await withinPatience(done);
  socket.destroy();
  return { said, connected, closed, error };
}

async function speaksTls(port: Port): Promise<boolean> {
  // Nothing is sent, so that it does not matter whose certificate this is.
  const socket = connectTls({ ...port, rejectUnauthorized: false });
  let secure = false;
  const done = new Promise<void>((resolve) => {
    socket.on('secureConnect', () => {
      secure = true;
      resolve();
    });
    socket.on('error', () => resolve()).on('close', () => resolve());
  });
  await withinPatience(done);
  socket.destroy();
  return secure;
}

async function withinPatience(done: Promise<void>): Promise<void> {
  const stop = new AbortController();
  await Promise.race([done, delay(PATIENCE_MS, undefined, { signal: stop.signal }).catch(() => undefined)]);
  stop.abort();
}

function printable(text: string): string {
  const line = text.split(/[\r\n]/)[0] ?? '';
  return line.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 40);
}
