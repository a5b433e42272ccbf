import { execFile, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { environmentOfInstallers, environmentWithoutSecrets } from '../child-environment.ts';
import { EmbedlineError } from '../errors.ts';
import { readPrivateFile, writePrivateFile } from '../state/private-file.ts';
import { REDIS_IMAGE, type ServerSource } from './locate-server.ts';
import { probeRedis } from './probe.ts';
import { serverUrl, type ServerAddress } from './server-address.ts';

const run = promisify(execFile);
const START_TIMEOUT_MS = 20_000;

export interface StartServerOptions {
  /** Of its data; checked by openServerFolder. */
  readonly directory: string;
  readonly signal?: AbortSignal | undefined;
  /** Where it is to answer. */
  readonly address: ServerAddress;
}

/**
 * Starts a Redis at a Unix socket and no TCP port, its data in the given folder, append-only file on, never evicting. It
 * is detached from the terminal's process group, so that Ctrl-C reaches its users and not the server.
 * @throws EmbedlineError REDIS_UNREACHABLE with the end of the server's log when it does not come up
 */
export async function startServer(source: ServerSource, options: StartServerOptions): Promise<void> {
  const { directory, signal, address } = options;
  const config = join(directory, 'redis.conf');
  if (source.kind === 'docker') {
    await writePrivateFile(
      config,
      configuration({ ...address, socket: '/socket/redis.sock', directory: '/data' }),
    );
    await startContainer(address, directory);
  } else {
    await writePrivateFile(config, configuration({ ...address, directory }));
    startProgram(source.path, config);
  }
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

/** By way of a shell, since a program's umask can only be set from within: Redis makes its files readable for all. */
function startProgram(path: string, config: string): void {
  spawn('/bin/sh', ['-c', 'umask 077; exec "$0" "$1"', path, config], {
    detached: true,
    stdio: 'ignore',
    env: environmentWithoutSecrets(),
  }).unref();
}

function configuration({ socket, password, directory }: ServerAddress & { directory: string }): string {
  return [
    'port 0',
    `unixsocket ${quoted(socket)}`,
    'unixsocketperm 700',
    `requirepass ${password}`,
    `dir ${quoted(directory)}`,
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
    'maxmemory-policy noeviction',
    'logfile redis.log',
    'daemonize no',
    '',
  ].join('\n');
}

/** As Redis reads a setting in double quotes: no byte ends the quotes or the line. */
export function quoted(path: string): string {
  const isPlain = (byte: number) => byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
  const bytes = [...Buffer.from(path)].map((byte) =>
    isPlain(byte) ? String.fromCodePoint(byte) : `\\x${byte.toString(16).padStart(2, '0')}`,
  );
  return `"${bytes.join('')}"`;
}

async function startContainer({ socket }: ServerAddress, directory: string): Promise<void> {
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  const mounts = [`${directory}:/data`, `${dirname(socket)}:/socket`].flatMap((mount) => ['-v', mount]);
  const args = ['run', '--rm', '-d', '--network', 'none', ...mounts, '--user', user, REDIS_IMAGE];
  await run('docker', [...args, 'redis-server', '/data/redis.conf'], { env: environmentOfInstallers() });
}

async function startFailed(directory: string, cause: unknown): Promise<EmbedlineError> {
  const log = (await readPrivateFile(join(directory, 'redis.log')).catch(() => null)) ?? '';
  const end = log.trim().split('\n').slice(-3).join('\n');
  return new EmbedlineError(
    'REDIS_UNREACHABLE',
    `The private Redis did not come up within ${START_TIMEOUT_MS / 1000} seconds; its log is ${join(directory, 'redis.log')}` +
      (end === '' ? '.' : ` and ends:\n${end}`),
    { cause },
  );
}
