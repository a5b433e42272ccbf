import { expect, onTestFinished, test } from 'vitest';
import { probeRedis } from '@embedline/core';
import { QdrantConnection } from '../../packages/core/src/vector-store/qdrant/connection.ts';
import { openQdrantStore } from '../../packages/core/src/vector-store/qdrant/qdrant-store.ts';
import { freePort } from '../support/free-port.ts';
import { testBench } from '../support/cli.ts';
import { privateRedis } from '../support/private-redis.ts';
import { startQdrantDouble } from '../support/qdrant-double/server.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { makeCertificates, startTlsProxy, type Certificates } from '../support/tls.ts';

const API_KEY = 'the-key-of-the-double';

/** @returns a URL of a Redis that answers to TLS alone under that port */
async function redisWithTls({ authority, certificate, key }: Certificates): Promise<URL> {
  const server = await privateRedis();
  const redis = server.connect();
  const port = await freePort();
  await redis.config('SET', 'tls-cert-file', certificate);
  await redis.config('SET', 'tls-key-file', key);
  await redis.config('SET', 'tls-ca-cert-file', authority);
  await redis.config('SET', 'tls-auth-clients', 'no');
  await redis.config('SET', 'tls-port', String(port));
  const url = new URL(server.url.replace('redis:', 'rediss:'));
  url.hostname = 'localhost';
  url.port = String(port);
  return url;
}

async function qdrantWithTls(certificates: Certificates) {
  const double = await startQdrantDouble({ apiKey: API_KEY });
  const proxy = await startTlsProxy(Number(new URL(double.url).port), certificates);
  onTestFinished(async () => {
    proxy.close();
    await double.close();
  });
  return { double, url: `https://localhost:${proxy.port}` };
}

test('ingest, its workers and search work over TLS, with an authority of one’s own', async () => {
  const certificates = await makeCertificates(await temporaryDirectory());
  const { double, url } = await qdrantWithTls(certificates);
  const bench = await testBench({
    REDIS_URL: (await redisWithTls(certificates)).href,
    QDRANT_URL: url,
    QDRANT_API_KEY: API_KEY,
    NODE_EXTRA_CA_CERTS: certificates.authority,
  });
  const ingest = ['ingest', '-', '--collection', 'docs', '--workers', '1'];
  const ingested = await bench.run(ingest, '{"id":"a","text":"hello world"}\n');
  expect(ingested, ingested.stderr).toMatchObject({ code: 0 });
  expect([...double.state.collections.values()].map(({ size }) => size)).toEqual([1]);
  const found = await bench.run(['search', 'hello', '--collection', 'docs', '--json']);
  expect(found.json).toMatchObject([{ documentId: 'a' }]);
});

test('a certificate that is not to be trusted is refused at once, with the remedy', async () => {
  const certificates = await makeCertificates(await temporaryDirectory());
  const redis = await redisWithTls(certificates);
  const refused = { code: 'REDIS_UNREACHABLE', retryable: false };
  await expect(probeRedis(redis.href)).rejects.toMatchObject(refused);
  await expect(probeRedis(redis.href)).rejects.toThrow(/NODE_EXTRA_CA_CERTS=/);
  const { url } = await qdrantWithTls(certificates);
  const opened = openQdrantStore({ url, apiKey: API_KEY });
  await expect(opened).rejects.toMatchObject({ code: 'STORE_UNREACHABLE', retryable: false });
  await expect(opened).rejects.toThrow(/NODE_EXTRA_CA_CERTS=/);
  const bench = await testBench({
    REDIS_URL: redis.href.replace('localhost', '127.0.0.1'),
    NODE_EXTRA_CA_CERTS: certificates.authority,
  });
  const worker = await bench.startWorker().result;
  expect(worker).toMatchObject({ code: 1, stderr: expect.stringContaining('for another name') });
});

test.each([
  ['http://qdrant.example:6333', true],
  ['http://localhost.example', true],
  ['http://127.0.0.1.example', true],
  ['https://qdrant.example', false],
  ['http://localhost:6333', false],
  ['http://[::1]:6333', false],
  ['http://127.1.2.3', false],
])('an API key that is sent to %s: a warning is %s', (url, warned) => {
  const warnings: string[] = [];
  new QdrantConnection({ url, apiKey: API_KEY, onWarning: (text) => warnings.push(text) }).close();
  expect(warnings).toEqual(warned ? [expect.stringMatching(/unencrypted.*https/)] : []);
});
