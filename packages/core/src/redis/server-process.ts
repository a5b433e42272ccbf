import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { environmentWithoutSecrets } from '../child-environment.ts';
import { EmbedlineError } from '../errors.ts';
import { REDIS_IMAGE, type ServerSource } from './locate-server.ts';
import { probeRedis } from './probe.ts';

const run = promisify(execFile);
const START_TIMEOUT_MS = 20_000;

/** Where a started server answers. */
export interface ServerAddress {
  readonly port: number;
  readonly password: string;
}

export function serverUrl({ port, password }: ServerAddress): string {
  return `redis://:${password}@127.0.0.1:${port}`;
}

/** A free port and a new password. */
export async function newAddress(): Promise<ServerAddress> {
  return { port: await freePort(), password: randomBytes(24).toString('hex') };
}

export interface StartServerOptions {
  /** Of its data. */
  readonly directory: string;
  readonly signal?: AbortSignal | undefined;
  /** Where it is to answer. */
  readonly address: ServerAddress;
}

/**
 * Starts a Redis on a loopback port, its data in the given folder, append-only file on, never evicting. It is
 * detached from the terminal's process group, so that Ctrl-C reaches its users and not the server.
 * @throws EmbedlineError REDIS_UNREACHABLE with the end of the server's log when it does not come up
 */
export async function startServer(source: ServerSource, options: StartServerOptions): Promise<void> {
  const { directory, signal, address } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const inDocker = source.kind === 'docker';
  const config = join(directory, 'redis.conf');
  await writeFile(config, configuration(address, inDocker ? '/data' : directory, inDocker), { mode: 0o600 });
  if (source.kind === 'docker') await startContainer(address, directory);
  else
    spawn(source.path, [config], {
      detached: true,
      stdio: 'ignore',
      env: environmentWithoutSecrets(),
    }).unref();
  const deadlineMs = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    signal?.throwIfAborted();
    try {
      await probeRedis(serverUrl(address));
      return;
    } catch (cause) {
      if (Date.now() > deadlineMs) throw await startFailed(directory, cause);
      await delay(50);
    }
  }
}

function configuration({ port, password }: ServerAddress, directory: string, inDocker: boolean): string {
  const quoted = `"${directory.replace(/["\\]/g, '\\$&')}"`;
  return [
    inDocker ? 'bind 0.0.0.0' : 'bind 127.0.0.1',
    `port ${inDocker ? 6379 : port}`,
    `requirepass ${password}`,
    `dir ${quoted}`,
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
    'maxmemory-policy noeviction',
    'logfile redis.log',
    'daemonize no',
    '',
  ].join('\n');
}

async function startContainer({ port }: ServerAddress, directory: string): Promise<void> {
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  const publish = ['-p', `127.0.0.1:${port}:6379`, '-v', `${directory}:/data`, '--user', user];
  await run('docker', ['run', '--rm', '-d', ...publish, REDIS_IMAGE, 'redis-server', '/data/redis.conf'], {
    env: environmentWithoutSecrets(),
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string')
    throw new Error('A TCP server without a port. This is a bug in Node.');
  return address.port;
}

async function startFailed(directory: string, cause: unknown): Promise<EmbedlineError> {
  const log = await readFile(join(directory, 'redis.log'), 'utf8').catch(() => '');
  const end = log.trim().split('\n').slice(-3).join('\n');
  return new EmbedlineError(
    'REDIS_UNREACHABLE',
    `The private Redis did not come up within ${START_TIMEOUT_MS / 1000} seconds; its log is ${join(directory, 'redis.log')}` +
      (end === '' ? '.' : ` and ends:\n${end}`),
    { cause },
  );
}
