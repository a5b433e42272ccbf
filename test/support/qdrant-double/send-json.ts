import type { ServerResponse } from 'node:http';
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';

/** In the order in which the server prefers them; quick rather than small. */
const ENCODINGS = new Map<string, (body: Buffer) => Buffer>([
  ['br', (body) => brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })],
  ['gzip', (body) => gzipSync(body, { level: 1 })],
  ['deflate', (body) => deflateSync(body, { level: 1 })],
]);

/**
 * An answer as the real server sends it: compressed as the client accepts it, in chunks without a length, in more than one piece.
 */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  const plain = Buffer.from(JSON.stringify(body));
  const encoding = chooseEncoding(response.req.headers['accept-encoding'] ?? '');
  const bytes = ENCODINGS.get(encoding)?.(plain) ?? plain;
  response.writeHead(status, {
    'content-type': 'application/json',
    vary: 'accept-encoding',
    ...(encoding === 'identity' ? { 'content-length': bytes.length } : { 'content-encoding': encoding }),
  });
  const half = Math.floor(bytes.length / 2);
  response.write(bytes.subarray(0, half));
  response.end(bytes.subarray(half));
}

/** @param accepted `gzip, deflate;q=0.5, br;q=0` */
function chooseEncoding(accepted: string): string {
  const weights = new Map(
    accepted.split(',').map((part) => {
      const [name = '', weight = 'q=1'] = part
        .trim()
        .toLowerCase()
        .split(/\s*;\s*/);
      return [name, Number(weight.replace('q=', ''))] as const;
    }),
  );
  return [...ENCODINGS.keys()].find((name) => (weights.get(name) ?? 0) > 0) ?? 'identity';
}
