import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { readdir, readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface FakeHub {
  readonly endpoint: string;
  /** Paths of the files that were asked for, in order. */
  readonly fetched: string[];
  /** Authorization headers that were sent. */
  readonly authorizations: (string | undefined)[];
  /** What is sent in place of a file, by its path. */
  readonly instead: Map<string, Buffer>;
}

export const COMMIT = 'c0ffee'.padEnd(40, '0');

/**
 * A hub on this machine with one repository at one commit: lists its files as the real one does (large ones by SHA-256,
 * others as Git blobs, three to a page), and redirects downloads.
 */
export async function startFakeHub(id: string, folder: string): Promise<FakeHub> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = names
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
  const listing = await Promise.all(
    paths.map(async (path) => entryOf(path, await readFile(join(folder, path)))),
  );
  const hub = {
    endpoint: '',
    fetched: [] as string[],
    authorizations: [] as (string | undefined)[],
    instead: new Map<string, Buffer>(),
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', hub.endpoint);
    hub.authorizations.push(request.headers.authorization);
    const resolved = `/${id}/resolve/${COMMIT}/`;
    if (url.pathname === `/api/models/${id}/tree/${COMMIT}`) {
      const start = Number(url.searchParams.get('cursor') ?? 0);
      if (start + 3 < listing.length)
        response.setHeader(
          'link',
          `<${hub.endpoint}${url.pathname}?recursive=true&cursor=${start + 3}>; rel="next"`,
        );
      response.end(JSON.stringify(listing.slice(start, start + 3)));
    } else if (url.pathname.startsWith(resolved)) {
      const path = url.pathname.slice(resolved.length);
      hub.fetched.push(path);
      response.writeHead(302, { location: `/cdn/${path}` }).end();
    } else if (url.pathname.startsWith('/cdn/')) {
      const path = url.pathname.slice('/cdn/'.length);
      const changed = hub.instead.get(path);
      if (changed === undefined) void readFile(join(folder, path)).then((bytes) => response.end(bytes));
      else response.end(changed);
    } else response.writeHead(404).end('{"error":"Repository not found"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  hub.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return hub;
}

function entryOf(path: string, bytes: Buffer): object {
  const oid = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
  if (!path.endsWith('.onnx')) return { type: 'file', oid, size: bytes.length, path };
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return {
    type: 'file',
    oid: 'a'.repeat(40),
    size: bytes.length,
    path,
    lfs: { oid: sha256, size: bytes.length, pointerSize: 130 },
  };
}
