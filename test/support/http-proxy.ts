import { once } from 'node:events';
import { createServer, request as sendPlainly, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as sendSecurely } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { text } from 'node:stream/consumers';

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

/** Headers and bytes go through as they are, in both directions: a body that is compressed stays so, and says so. */
function pass(
  request: IncomingMessage,
  response: ServerResponse,
  targetUrl: string,
  fault: HttpFault | null,
): void {
  const { method, url, rawHeaders } = request;
  // What is to be changed must not be compressed.
  const headers = fault?.kind === 'update-status' ? without(rawHeaders, ['accept-encoding']) : rawHeaders;
  const target = new URL(url ?? '/', targetUrl);
  const send = target.protocol === 'https:' ? sendSecurely : sendPlainly;
  const onward = send(target, { method, headers }, (answer) => {
    if (fault?.kind === 'reset-after') answer.resume().on('end', () => request.socket.destroy());
    else if (response.destroyed) answer.resume();
    else if (fault?.kind === 'update-status') void replaceStatus(answer, response, fault.status);
    else {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', answer.rawHeaders);
      pipeline(answer, response, () => undefined);
    }
  });
  onward.on('error', () => request.socket.destroy());
  request.on('error', () => onward.destroy());
  request.pipe(onward);
}

async function replaceStatus(
  answer: IncomingMessage,
  response: ServerResponse,
  status: string,
): Promise<void> {
  const body = (await text(answer)).replaceAll('"completed"', `"${status}"`);
  const headers = without(answer.rawHeaders, ['content-length', 'transfer-encoding']);
  response.writeHead(answer.statusCode ?? 502, headers).end(body);
}

/** @param rawHeaders name, value, name, value ... */
function without(rawHeaders: readonly string[], names: readonly string[]): string[] {
  return rawHeaders.filter((_, index) => {
    const name = rawHeaders[index - (index % 2)] ?? '';
    return !names.includes(name.toLowerCase());
  });
}
