import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/temporary.ts';

test('the wire of the fault tests keeps the order of what it delays, also when its latency falls', async () => {
  let received = '';
  const server = createServer((socket) => {
    // Closing the wire breaks its connections.
    socket.on('error', () => undefined);
    socket.on('data', (block) => (received += String(block)));
  });
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const wire = await startTcpProxy((server.address() as AddressInfo).port);
  const socket = connect(wire.port, '127.0.0.1').setNoDelay(true);
  socket.on('error', () => undefined);
  const send = (text: string) => new Promise((resolve) => socket.write(text, resolve));
  await once(socket, 'connect');
  wire.setLatency(150);
  await send('1');
  // The proxy has taken it, and holds it back.
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(received).toBe('');
  wire.setLatency(0);
  await send('2');
  await until('both have arrived', () => received.length === 2);
  expect(received).toBe('12');
  socket.destroy();
  await wire.close();
});
