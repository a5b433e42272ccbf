import { execFileSync } from 'node:child_process';
import { QdrantContainer } from '@testcontainers/qdrant';

/** A real Qdrant for the contract suite, or the reason why there is none. */
export type RealQdrant =
  { readonly url: string; readonly apiKey?: string; close(): Promise<void> } | { readonly missing: string };

const IMAGE = 'qdrant/qdrant:v1.18.3';

/** The one that QDRANT_TEST_URL names; else a container, where Docker runs and has the image or can get it. */
export async function findRealQdrant(): Promise<RealQdrant> {
  const url = process.env['QDRANT_TEST_URL'];
  const apiKey = process.env['QDRANT_TEST_API_KEY'];
  if (url !== undefined)
    return { url, ...(apiKey === undefined ? {} : { apiKey }), close: () => Promise.resolve() };
  if (!succeeds('docker', ['info'], 5_000))
    return { missing: 'QDRANT_TEST_URL is not set, and Docker does not run' };
  const present =
    succeeds('docker', ['image', 'inspect', IMAGE], 5_000) || succeeds('docker', ['pull', IMAGE], 90_000);
  if (!present) return { missing: `Docker runs, but ${IMAGE} cannot be pulled` };
  const container = await new QdrantContainer(IMAGE).start();
  const address = `http://${container.getRestHostAddress()}`;
  return { url: address, close: () => container.stop().then(() => undefined) };
}

function succeeds(command: string, args: readonly string[], timeoutMs: number): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: timeoutMs });
    return true;
  } catch {
    return false;
  }
}
