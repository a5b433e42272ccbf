import { execFile } from 'node:child_process';
import { access, constants, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { environmentOfInstallers } from '../child-environment.ts';
import { EmbedlineError, messageOf } from '../errors.ts';

const run = promisify(execFile);

/** The image of a private Redis in Docker. */
export const REDIS_IMAGE = 'redis:7-alpine';

/** How a private Redis can be started here. */
export type ServerSource = { readonly kind: 'binary'; readonly path: string } | { readonly kind: 'docker' };

export interface LocateOptions {
  /** Neither install a package nor fetch an image. */
  readonly noInstall: boolean;
  readonly announce: (message: string) => void;
  /** So long a person may object to an installation. Defaults to 5,000 at a terminal, else 0. */
  readonly objectionMs?: number;
  /** Whether this user may install packages here. Defaults to root on Debian or Ubuntu. */
  readonly canInstall?: () => Promise<boolean>;
  readonly signal?: AbortSignal | undefined;
}

const OBJECTION_MS = 5_000;

/**
 * Finds a Redis server: `redis-server` or `valkey-server` on PATH; else Docker if it runs; else, as root on Debian or
 * Ubuntu, the distribution's package, announced before it is installed.
 * @throws EmbedlineError REDIS_NOT_INSTALLED with the commands that fix it
 */
export async function locateServer(options: LocateOptions): Promise<ServerSource> {
  const binary = await findBinary();
  if (binary !== null) return { kind: 'binary', path: binary };
  if (await dockerServes(options)) return { kind: 'docker' };
  if (!options.noInstall && (await (options.canInstall ?? canInstall)())) {
    await install(options);
    const installed = await findBinary();
    if (installed !== null) return { kind: 'binary', path: installed };
  }
  throw new EmbedlineError(
    'REDIS_NOT_INSTALLED',
    [
      'No Redis is here: REDIS_URL is not set, neither redis-server nor valkey-server is on PATH, and Docker does not run or has no Redis image.',
      'Do one of these and try again:',
      '  macOS           brew install redis',
      '  Debian, Ubuntu  sudo apt-get install redis-server',
      '  Docker          docker run -d -p 127.0.0.1:6379:6379 redis:7-alpine --appendonly yes',
      '                  export REDIS_URL=redis://127.0.0.1:6379',
    ].join('\n'),
  );
}

async function findBinary(): Promise<string | null> {
  const directories = (process.env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '');
  for (const name of ['redis-server', 'valkey-server']) {
    for (const directory of directories) {
      const path = join(directory, name);
      if (
        await access(path, constants.X_OK).then(
          () => true,
          () => false,
        )
      )
        return path;
    }
  }
  return null;
}

/** Docker that runs, and has the image or can fetch it. */
async function dockerServes({ noInstall, announce, signal }: LocateOptions): Promise<boolean> {
  // Elsewhere Docker runs in a virtual machine, out of which a socket does not reach.
  if (process.platform !== 'linux' || !(await dockerRuns())) return false;
  const stop = signal === undefined ? {} : { signal };
  const docker = (args: readonly string[], timeout: number) =>
    run('docker', args, { timeout, env: environmentOfInstallers(), ...stop }).then(
      () => true,
      () => false,
    );
  if (await docker(['image', 'inspect', REDIS_IMAGE], 5_000)) return true;
  if (noInstall) return false;
  announce(`No Redis is on PATH: fetching ${REDIS_IMAGE} with Docker ...`);
  return docker(['pull', REDIS_IMAGE], 120_000);
}

async function dockerRuns(): Promise<boolean> {
  return run('docker', ['info', '--format', '{{.ServerVersion}}'], {
    timeout: 5_000,
    env: environmentOfInstallers(),
  }).then(
    ({ stdout }) => stdout.trim() !== '',
    () => false,
  );
}

async function canInstall(): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(release);
}

async function install({ announce, signal, objectionMs: given }: LocateOptions): Promise<void> {
  const objectionMs = given ?? (process.stderr.isTTY ? OBJECTION_MS : 0);
  const when = objectionMs === 0 ? 'now' : `in ${objectionMs / 1000} seconds. Press Ctrl-C to stop`;
  announce(
    `No Redis is here: embedline installs redis-server with apt-get ${when} (EMBEDLINE_NO_INSTALL=1 forbids this) ...`,
  );
  await delay(objectionMs, undefined, signal === undefined ? {} : { signal });
  const options = {
    env: { ...environmentOfInstallers(), DEBIAN_FRONTEND: 'noninteractive' },
    maxBuffer: 64 * 1024 * 1024,
    ...(signal === undefined ? {} : { signal }),
  };
  try {
    await run('apt-get', ['update'], options);
    await run('apt-get', ['install', '-y', '--no-install-recommends', 'redis-server'], options);
  } catch (cause) {
    throw new EmbedlineError(
      'REDIS_NOT_INSTALLED',
      `apt-get could not install redis-server: ${messageOf(cause).slice(-300)}. Install it by hand, or set REDIS_URL.`,
      { cause },
    );
  }
}
