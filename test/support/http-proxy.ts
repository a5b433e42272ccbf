import { once } from 'node:events';
import { createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a proxy does to requests instead of passing them on. */
export type HttpFault =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers: Record<string, string>;
      readonly body: string;
    }
  /** Passes the request on, and replaces `completed` in the answer. */
  | { readonly kind: 'update-status'; readonly status: 'acknowledged' | 'wait_timeout' }
  | { readonly kind: 'reset-before' | 'reset-after' | 'hang' };

/** Stands in front of an HTTP server, as a load balancer does, and may misbehave. */
export interface HttpProxy {
  readonly url: string;
  /** For every request from now on; null passes all on again and breaks what hangs. */
  setFault(fault: HttpFault | null): void;
  /** Requests that a fault has met since it was set. */
  readonly disturbed: number;
  close(): Promise<void>;
}

export async function startHttpProxy(targetUrl: string): Promise<HttpProxy> {
  let fault: HttpFault | null = null;
  let disturbed = 0;
  const hanging = new Set<IncomingMessage>();
  const server = createServer((request, response) => {
    if (fault !== null) disturbed += 1;
    if (fault === null) pass(request, response, targetUrl, null);
    else if (fault.kind === 'hang') hanging.add(request);
    else disturb(fault, request, response, targetUrl);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    setFault: (next) => {
      for (const request of hanging) request.socket.destroy();
      hanging.clear();
      fault = next;
      disturbed = 0;
    },
    get disturbed() {
      return disturbed;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function disturb(
  fault: Exclude<HttpFault, { kind: 'hang' }>,
  request: IncomingMessage,
  response: ServerResponse,
  targetUrl: string,
): void {
  if (fault.kind === 'reset-before') request.socket.destroy();
  else if (fault.kind === 'answer') {
    request.resume();
    request.on('end', () => response.writeHead(fault.status, fault.headers).end(fault.body));
  } else pass(request, response, targetUrl, fault);
}

function pass(
  request: IncomingMessage,
  response: ServerResponse,
  targetUrl: string,
  fault: HttpFault | null,
): void {
  const { method, url, headers } = request;
  const onward = send(new URL(url ?? '/', targetUrl), { method, headers }, (answer) => {
    const blocks: Buffer[] = [];
    answer.on('data', (block: Buffer) => blocks.push(block));
    answer.on('end', () => {
      if (fault?.kind === 'reset-after') return void request.socket.destroy();
      let body = Buffer.concat(blocks).toString('utf8');
      if (fault?.kind === 'update-status') body = body.replaceAll('"completed"', `"${fault.status}"`);
      response.writeHead(answer.statusCode ?? 502, { 'content-type': answer.headers['content-type'] ?? '' });
      response.end(body);
    });
  });
  onward.on('error', () => request.socket.destroy());
  request.on('error', () => onward.destroy());
  request.pipe(onward);
}
