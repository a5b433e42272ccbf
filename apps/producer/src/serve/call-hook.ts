import { spawn } from 'node:child_process';
import {
  environmentNamed,
  environmentOfCommands,
  messageOf,
  redactSecrets,
  rememberSecrets,
} from '@embedline/core';
import type { FailureHook } from '../pipeline/failure-hook.ts';
import { safeText } from '../terminal/safe-text.ts';

/** A failure that another attempt would not change. */
export class HookRefused extends Error {}

const STDERR_CHARACTERS = 500;

/**
 * Tells a hook once.
 * @param body JSON
 * @param directory where a command is run
 * @throws Error that says why it was not told, without secrets; HookRefused when it never will be
 */
export async function callHook(
  hook: FailureHook,
  body: string,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(hook.timeoutMs)]);
  try {
    // A server that stopped between two attempts must not start another command, which nothing would end.
    signal.throwIfAborted();
    if (hook.command !== undefined) await runCommand(hook.command, hook, body, directory, limited);
    else if (hook.webhook !== undefined) await post(hook.webhook, hook, body, limited);
  } catch (error) {
    if (signal.aborted) throw new HookRefused('the server stops', { cause: error });
    if (limited.aborted) throw new Error(`it took more than ${hook.timeoutMs} ms`, { cause: error });
    throw error;
  }
}

async function runCommand(
  [program = '', ...args]: readonly string[],
  { environment }: FailureHook,
  body: string,
  cwd: string,
  signal: AbortSignal,
): Promise<void> {
  const child = spawn(program, args, {
    cwd,
    // A process group of its own, so that all of it ends when its time is over.
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
    env: environmentOfCommands(environment),
  });
  let tail = '';
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (tail = (tail + text).slice(-STDERR_CHARACTERS)));
  // A program need not read what it is told.
  child.stdin.on('error', () => undefined);
  child.stdin.end(body);
  const kill = () => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended by now.
    }
  };
  signal.addEventListener('abort', kill, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      child.on('error', (error: NodeJS.ErrnoException) =>
        reject(error.code === 'ENOENT' ? new HookRefused(`there is no program ${program}`) : error),
      );
      child.on('exit', (code, name) => {
        if (code === 0) return resolve();
        const said = safeText(redactSecrets(tail)).trim();
        reject(new Error(`it ended with ${name ?? `code ${String(code)}`}${said === '' ? '' : `: ${said}`}`));
      });
    });
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

async function post(webhook: string, hook: FailureHook, body: string, signal: AbortSignal): Promise<void> {
  const url = new URL(webhook);
  // Whoever knows such an address may send to it: what follows the host stays out of messages.
  rememberSecrets([`${url.pathname}${url.search}`]);
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headersOf(hook) },
    body,
    // A redirection may lead anywhere, with the headers.
    redirect: 'manual',
    signal,
  }).catch((error: unknown) => {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new Error(`${url.host} was not reached: ${messageOf(cause)}`);
  });
  await response.body?.cancel();
  if (response.ok) return;
  const message = `${url.host} answered ${response.status}`;
  const mayPass = response.status >= 500 || [408, 425, 429].includes(response.status);
  throw mayPass ? new Error(message) : new HookRefused(message);
}

function headersOf({ headers }: FailureHook): Record<string, string> {
  const values = environmentNamed(Object.values(headers));
  rememberSecrets(Object.values(headers).map((variable) => values[variable]));
  return Object.fromEntries(
    Object.entries(headers).map(([name, variable]) => {
      const value = values[variable];
      if (value === undefined)
        throw new HookRefused(`the header ${name} is to come from ${variable}, which is not set`);
      return [name, value];
    }),
  );
}
