import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DoubleState } from './endpoints.ts';
import type { Strictness } from './filter.ts';
import { badBody, Rejection } from './rejection.ts';
import { sendJson } from './send-json.ts';

/** What happens to the next matching requests instead of the usual. */
export interface Fault {
  /** Matches `METHOD /path`; every request when absent. */
  readonly on?: RegExp;
  /** How many requests. Defaults to 1. */
  readonly times?: number;
  /** An answer to give instead. */
  readonly answer?: {
    readonly status: number;
    readonly headers?: Record<string, string>;
    readonly body: string;
  };
  /** Break the connection: before the request has its effect, or after. */
  readonly reset?: 'before' | 'after';
  /** Never answer. */
  readonly hang?: true;
  /** Answer with this update status instead of `completed`, without doing it. */
  readonly writeStatus?: 'acknowledged' | 'wait_timeout';
}

export interface QdrantDoubleOptions {
  readonly apiKey?: string;
  /** Defaults to `own`. */
  readonly strictness?: Strictness;
  readonly version?: string;
}

/** A server that speaks the part of Qdrant's REST API which the adapter uses. */
export interface QdrantDouble {
  readonly url: string;
  readonly state: DoubleState;
  /** `METHOD /path` of every request. */
  readonly journal: readonly string[];
  inject(fault: Fault): void;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 32 * 1024 * 1024;

export async function startQdrantDouble(options: QdrantDoubleOptions = {}): Promise<QdrantDouble> {
  const state = new DoubleState(options.strictness ?? 'own');
  const journal: string[] = [];
  const faults: { fault: Fault; left: number }[] = [];
  const server = createServer((request, response) => {
    void handle(request, response).catch((error: unknown) => fail(response, error));
  });
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = 'GET', url = '/' } = request;
    const { pathname: path, searchParams: query } = new URL(url, 'http://double');
    const name = `${method} ${path}`;
    journal.push(name);
    const text = await readBody(request);
    const fault = takeFault(faults, name);
    if (fault !== null && misbehave(fault, request, response)) return;
    if (path === '/')
      return sendJson(response, 200, {
        title: 'qdrant - vector search engine',
        version: options.version ?? '1.18.3',
      });
    assertKey(request, options.apiKey);
    assertJson(request, text);
    const waits = query.get('wait') === 'true';
    const result = state.answer(method, path.replace(/\/$/, ''), parseBody(text), waits);
    if (fault?.reset === 'after') request.socket.destroy();
    else sendJson(response, 200, { usage: null, status: 'ok', time: 0.001, result });
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    state,
    journal,
    inject: (fault) => void faults.push({ fault, left: fault.times ?? 1 }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** @returns true when the request is dealt with */
function misbehave(fault: Fault, request: IncomingMessage, response: ServerResponse): boolean {
  if (fault.hang === true) return true;
  if (fault.reset === 'before') {
    request.socket.destroy();
    return true;
  }
  if (fault.writeStatus !== undefined) {
    sendJson(response, 200, {
      status: 'ok',
      time: 0,
      result: { operation_id: 1, status: fault.writeStatus },
    });
    return true;
  }
  if (fault.answer === undefined) return false;
  const { status, headers = { 'content-type': 'application/json' }, body } = fault.answer;
  response.writeHead(status, headers).end(body);
  return true;
}

function takeFault(faults: { fault: Fault; left: number }[], name: string): Fault | null {
  const found = faults.find(({ fault, left }) => left > 0 && (fault.on === undefined || fault.on.test(name)));
  if (found === undefined) return null;
  found.left -= 1;
  return found.fault;
}

function assertKey(request: IncomingMessage, apiKey: string | undefined): void {
  if (apiKey === undefined || request.headers['api-key'] === apiKey) return;
  throw new Rejection(
    request.headers['api-key'] === undefined ? 401 : 403,
    'Must provide an API key or an Authorization bearer token',
  );
}

function assertJson({ headers }: IncomingMessage, text: string): void {
  if (text === '' || headers['content-type'] === 'application/json') return;
  throw new Rejection(400, 'Content type error');
}

async function readBody(request: IncomingMessage): Promise<string> {
  const blocks: Buffer[] = [];
  for await (const block of request) blocks.push(block as Buffer);
  const body = Buffer.concat(blocks);
  if (body.length > MAX_BODY_BYTES) {
    throw new Rejection(
      400,
      `Payload error: JSON payload (${body.length} bytes) is larger than allowed (limit: ${MAX_BODY_BYTES} bytes).`,
    );
  }
  return body.toString('utf8');
}

function parseBody(text: string): Record<string, unknown> {
  if (text === '') return {};
  if (escapesHalfAPair(text)) throw badBody('unexpected end of hex escape at line 1 column 1');
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw badBody('expected value at line 1 column 1');
  }
}

/** serde_json refuses the escape of half a surrogate pair, which JSON.parse takes. */
function escapesHalfAPair(text: string): boolean {
  const escapes = text.matchAll(/\\u(d[89ab]..)\\u(d[c-f]..)|\\u(d[89a-f]..)|\\./gi);
  return escapes.some(([, , , half]) => half !== undefined);
}

function fail(response: ServerResponse, error: unknown): void {
  if (error instanceof Rejection && (error.status === 401 || error.status === 403)) {
    response.writeHead(error.status, { 'content-type': 'text/plain' }).end(error.message);
  } else if (error instanceof Rejection)
    sendJson(response, error.status, { status: { error: error.message }, time: 0, result: null });
  else sendJson(response, 500, { status: { error: `The double broke: ${String(error)}` }, time: 0 });
}
