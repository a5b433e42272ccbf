import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A wire that can be disturbed. */
export interface TcpProxy {
  readonly port: number;
  /** Everything arrives so much later, in each direction. */
  setLatency(latencyMs: number): void;
  /** Swallows what is sent, without closing anything; connections that it met stay silent for ever. */
  setBlackHole(swallows: boolean): void;
  /** Breaks every connection. */
  reset(): void;
  close(): Promise<void>;
}

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  let latencyMs = 0;
  let swallows = false;
  const pairs = new Set<{ ends: readonly Socket[]; silent: boolean }>();
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1');
    const pair = { ends: [client, target], silent: swallows };
    pairs.add(pair);
    const forward = (from: Socket, to: Socket) => {
      from.setNoDelay(true);
      // Nothing overtakes what was sent before it, also when the latency falls.
      let arrived: Promise<unknown> = Promise.resolve();
      let pending = 0;
      const deliver = async (block: Buffer, before: Promise<unknown>) => {
        await Promise.all([before, delay(latencyMs)]);
        pending -= 1;
        to.write(block);
      };
      from.on('data', (block: Buffer) => {
        if (pair.silent) return;
        if (latencyMs === 0 && pending === 0) return void to.write(block);
        pending += 1;
        arrived = deliver(block, arrived);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        pairs.delete(pair);
        to.destroy();
      });
    };
    forward(client, target);
    forward(target, client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reset = () => {
    for (const { ends } of pairs) for (const end of ends) end.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    setLatency: (milliseconds) => (latencyMs = milliseconds),
    setBlackHole: (on) => {
      swallows = on;
      if (on) for (const pair of pairs) pair.silent = true;
    },
    reset,
    close: async () => {
      reset();
      server.close();
      await once(server, 'close');
    },
  };
}
