import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { freePort } from './free-port.ts';
import { temporaryDirectory, until } from './temporary.ts';

export interface RedisProcess {
  readonly port: number;
  readonly directory: string;
  /** Ends it at once, as kill -9 does; returns when it is gone. */
  kill(): Promise<void>;
  /** Stops it in the middle of whatever it does, until the test ends. */
  freeze(): void;
  /** Starts it again from what it left in its directory, with other settings if they are given. */
  restart(args?: readonly string[]): Promise<void>;
}

/**
 * Any redis-server, with settings as on its command line (`--databases 4`), that ends with the test.
 * @param options.port `--port` of the settings; defaults to a free one
 * @param options.file a file of settings that stands before them, as Sentinel needs one
 */
export async function startRedisProcess(
  args: readonly string[] = [],
  options: { readonly port?: number; readonly file?: string; readonly directory?: string } = {},
): Promise<RedisProcess> {
  const port = options.port ?? (await freePort());
  const directory = options.directory ?? (await temporaryDirectory());
  const start = async (settings: readonly string[]) => {
    const own = ['--port', String(port), '--dir', directory];
    // A Sentinel saves nothing but its file of settings, and knows no such setting.
    const first = options.file === undefined ? ['--save', ''] : [options.file];
    const child = spawn('redis-server', [...first, ...own, ...settings], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let log = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (log += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
    const ended = once(child, 'exit');
    await until(`redis-server is ready: ${settings.join(' ')}`, () => {
      if (child.exitCode !== null) throw new Error(`redis-server ended: ${log}`);
      return /Ready to accept connections|monitor master|Sentinel ID is|starting.*loading|DB loaded/i.test(
        log,
      );
    });
    return { child, ended };
  };
  let running = await start(args);
  const kill = async () => {
    running.child.kill('SIGKILL');
    await running.ended;
  };
  onTestFinished(kill);
  return {
    port,
    directory,
    kill,
    freeze: () => void running.child.kill('SIGSTOP'),
    restart: async (settings = args) => {
      running = await start(settings);
    },
  };
}

/** A TCP server that does what a test says with each connection. */
export async function startFakeServer(serve: (socket: Socket) => void): Promise<{ readonly port: number }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    serve(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port };
}
