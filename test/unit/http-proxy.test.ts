import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openQdrantStore } from '../../packages/core/src/vector-store/qdrant/qdrant-store.ts';
import { killProducers } from '../chaos/kill-producers.ts';
import type { FedIngest } from '../chaos/feed.ts';
import { startHttpProxy } from '../support/http-proxy.ts';
import { startQdrantDouble } from '../support/qdrant-double/server.ts';

async function bench() {
  const double = await startQdrantDouble();
  onTestFinished(() => double.close());
  const proxy = await startHttpProxy(double.url);
  onTestFinished(() => proxy.close());
  return { double, proxy };
}

async function get(url: string, acceptEncoding: string): Promise<{ answer: IncomingMessage; body: Buffer }> {
  const sent = request(`${url}/collections`, { headers: { 'accept-encoding': acceptEncoding } });
  sent.end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return { answer, body: await buffer(answer) };
}

describe('the proxy of the fault runner', () => {
  test.each([
    ['gzip, deflate, br', 'br'],
    ['gzip', 'gzip'],
    ['deflate, gzip;q=0', 'deflate'],
    ['identity', undefined],
  ])('passes on bytes and headers of an answer for %s', async (accepted, encoding) => {
    const { double, proxy } = await bench();
    const [direct, passed] = [await get(double.url, accepted), await get(proxy.url, accepted)];
    expect(direct.answer.headers['content-encoding']).toBe(encoding);
    const { date: _, ...headers } = direct.answer.headers;
    expect(passed.answer.headers).toMatchObject(headers);
    expect(passed.body.equals(direct.body)).toBe(true);
  });

  test('lets the adapter talk to a server that compresses', async () => {
    const { proxy } = await bench();
    const store = await openQdrantStore({ url: proxy.url });
    onTestFinished(() => store.close());
    expect(await store.generations('docs')).toEqual([]);
  });

  test('changes the status of a write in an answer that would be compressed', async () => {
    const { proxy } = await bench();
    await fetch(`${proxy.url}/collections/docs`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ vectors: { dense: { size: 2, distance: 'Cosine' } } }),
    });
    proxy.setFault({ kind: 'update-status', status: 'wait_timeout' });
    const answer = await fetch(`${proxy.url}/collections/docs/points?wait=true`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ points: [] }),
    });
    expect(await answer.json()).toMatchObject({ result: { status: 'wait_timeout' } });
  });
});

test('a proxy that drops content-encoding, as ours once did, fails with the double', async () => {
  const { double } = await bench();
  const server = createServer((asked, response) => {
    request(new URL(asked.url ?? '/', double.url), { headers: asked.headers }, (answer) => {
      void text(answer).then((body) => response.end(body));
    }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  await expect(fetch(`http://127.0.0.1:${port}/collections`).then((answer) => answer.json())).rejects.toThrow(
    /JSON/,
  );
});

test('killing producers notices one that has ended by itself, before or after its first batch', async () => {
  const ended = { exited: Promise.resolve(1), output: () => 'no such store' } as unknown as FedIngest;
  const never = new Promise<never>(() => undefined);
  for (const progress of [never, Promise.resolve()]) {
    const killing = killProducers({
      times: 1,
      start: () => ended,
      untilProgress: () => progress,
      random: () => 0.5,
    });
    await expect(killing).rejects.toThrow(/ended early, with 1:\nno such store/);
  }
});
