import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { loadConfig, probeRedis } from '@embedline/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { testBench } from '../support/cli.ts';
import { freePort } from '../support/free-port.ts';
import { startFakeServer, startRedisProcess } from '../support/redis-process.ts';
import { refusal } from '../support/redis-refusal.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { makeCertificates } from '../support/tls.ts';

describe('what answers on the port', () => {
  test.each<[string, (socket: Socket) => void, RegExp]>([
    ['a server that never answers', () => undefined, /accepts connections and answers nothing/],
    ['one that drips bytes', (socket) => drip(socket, '+PONG'.repeat(1000)), /answers too slowly/],
    ['one that closes at once', (socket) => void socket.end(), /closes each connection without a word/],
    ['one that resets', (socket) => void socket.resetAndDestroy(), /closes each connection|ECONNRESET/],
    ['SSH', (socket) => void socket.write('SSH-2.0-OpenSSH_9\r\n'), /not a Redis: it begins with "SSH-2\.0/],
    [
      'SMTP with a trick',
      (socket) => void socket.write('220 \u001b[31mmail\r\n'),
      /begins with "220 \?\[31mmail"/,
    ],
    [
      'binary',
      (socket) => void socket.write(Buffer.from([0, 255, 1, 254, 10])),
      /not a Redis: it begins with "\?\?/,
    ],
    ['a full one', (socket) => void socket.end('-ERR max number of clients reached\r\n'), /maxclients/],
    [
      'one that loads',
      (socket) => void socket.write('-LOADING Redis is loading\r\n'.repeat(9)),
      /still loading/,
    ],
  ])('%s', async (_, serve, told) => {
    const { port } = await startFakeServer(serve);
    const { message } = await refusal(`redis://127.0.0.1:${port}`);
    expect(message).toMatch(told);
    expect(message).not.toContain('\u001b');
  });

  test('a web server, and nobody', async () => {
    const web = createServer((_, response) => void response.end('hello')).listen(0, '127.0.0.1');
    await once(web, 'listening');
    onTestFinished(() => void web.close());
    const { port } = web.address() as AddressInfo;
    expect((await refusal(`redis://127.0.0.1:${port}`)).message).toMatch(
      /not a Redis but a web server \(HTTP\)/,
    );
    expect((await refusal(`rediss://127.0.0.1:${port}`)).message).toMatch(/a web server \(HTTP\)/);
    const nobody = await refusal(`redis://127.0.0.1:${await freePort()}`);
    expect(nobody).toMatchObject({ retryable: true, message: expect.stringContaining('ECONNREFUSED') });
    const unknown = await refusal('redis://no-such-host.invalid');
    expect(unknown.message).toMatch(/(ENOTFOUND|EAI_AGAIN)/);
  });
});

function drip(socket: Socket, text: string): void {
  let sent = 0;
  const timer = setInterval(() => socket.write(text.charAt(sent++ % text.length)), 50);
  socket.on('close', () => clearInterval(timer));
}

test('TLS where none is expected, none where it is, and client certificates', async () => {
  const ours = await makeCertificates(await temporaryDirectory());
  const others = await makeCertificates(await temporaryDirectory());
  const port = await freePort();
  const plain = await startRedisProcess(
    `--tls-port ${port} --tls-cert-file ${ours.certificate} --tls-key-file ${ours.key} --tls-ca-cert-file ${ours.authority} --tls-auth-clients yes`.split(
      ' ',
    ),
  );
  const secure = `rediss://localhost:${port}`;
  expect((await refusal(`redis://localhost:${port}`)).message).toMatch(/speaks TLS.*Write rediss:\/\//);
  expect((await refusal(`rediss://localhost:${plain.port}`)).message).toMatch(
    /does not speak TLS.*Write redis:\/\//,
  );
  expect((await refusal(secure)).message).toMatch(/signed by no authority.*REDIS_TLS_CA_FILE=/);
  const REDIS_TLS_CA_FILE = ours.authority;
  expect((await refusal(secure, { REDIS_TLS_CA_FILE })).message).toMatch(
    /asks for a client certificate.*REDIS_TLS_CERT_FILE/,
  );
  const strange = { REDIS_TLS_CERT_FILE: others.certificate, REDIS_TLS_KEY_FILE: others.key };
  expect((await refusal(secure, { REDIS_TLS_CA_FILE, ...strange })).message).toMatch(
    /does not accept the client certificate/,
  );
  const right = { REDIS_TLS_CA_FILE, REDIS_TLS_CERT_FILE: ours.certificate, REDIS_TLS_KEY_FILE: ours.key };
  expect((await refusal(secure.replace('localhost', '127.0.0.1'), right)).message).toMatch(
    /for another name/,
  );
  const { redisAccess } = loadConfig({ REDIS_URL: secure, ...right });
  await probeRedis(secure, { access: redisAccess });
  const bench = await testBench({ REDIS_URL: secure, ...right });
  const ingest = ['ingest', '-', '--collection', 'docs', '--workers', '1', '--json'];
  const ingested = await bench.run(ingest, '{"id":"a","text":"hello"}\n');
  expect(ingested, ingested.stderr).toMatchObject({ code: 0 });
});
