import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { environmentWithoutSecrets } from '../child-environment.ts';
import { EmbedlineError } from '../errors.ts';
import type { InferenceRequest, InferenceResponse, InferenceSettings } from './inference-protocol.ts';

export type EmbeddedBatch = Extract<InferenceResponse, { type: 'embedded' }>;

/** One inference process. When it dies, its pending requests fail with {@link ChildDied}; it is not started again. */
export class InferenceChild {
  /** Resolves when the model is loaded; rejected with MODEL_INVALID or EMBEDDING_FAILED. */
  readonly ready: Promise<{ readonly batchInvariant: boolean }>;
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, PromiseWithResolvers<EmbeddedBatch>>();
  #alive = true;

  constructor(settings: InferenceSettings) {
    this.#process = fork(
      fileURLToPath(new URL('./inference-process.ts', import.meta.url)),
      [JSON.stringify(settings)],
      {
        env: environmentWithoutSecrets(),
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
        execArgv: [],
      },
    );
    const ready = Promise.withResolvers<{ batchInvariant: boolean }>();
    this.ready = ready.promise;
    this.ready.catch(() => undefined);
    this.#process.on('message', (message) => this.#receive(message as InferenceResponse, ready));
    this.#process.on('error', () => this.#die('it could not be started', ready.reject));
    this.#process.on('exit', (code, signal) =>
      this.#die(`it ended with ${signal ?? `code ${String(code)}`}`, ready.reject),
    );
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Requests sent and not answered. */
  get load(): number {
    return this.#pending.size;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  embed(id: number, texts: readonly string[]): Promise<EmbeddedBatch> {
    const answer = Promise.withResolvers<EmbeddedBatch>();
    this.#pending.set(id, answer);
    this.#send({ type: 'embed', id, texts });
    return answer.promise;
  }

  /** Forgets a request; what it has not begun is not computed. */
  cancel(id: number): void {
    if (this.#pending.delete(id)) this.#send({ type: 'cancel', id });
  }

  /** SIGKILL: asking politely is no use while native code runs, and there is nothing in it to lose. */
  async close(): Promise<void> {
    if (!this.#alive) return;
    const exited = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await exited;
  }

  #send(request: InferenceRequest): void {
    // A failure to send means that the process is ending: `exit` follows and settles what is pending.
    if (this.#process.connected) this.#process.send(request, () => undefined);
  }

  #receive(message: InferenceResponse, ready: PromiseWithResolvers<{ batchInvariant: boolean }>): void {
    switch (message.type) {
      case 'ready':
        return ready.resolve({ batchInvariant: message.batchInvariant });
      case 'unusable':
        ready.reject(
          new EmbedlineError(
            'MODEL_INVALID',
            `The model cannot be loaded: ${message.message}. Fetch its files again.`,
          ),
        );
        this.#process.kill('SIGKILL');
        return;
      case 'embedded':
        this.#take(message.id)?.resolve(message);
        return;
      case 'failed':
        this.#take(message.id)?.reject(
          new EmbedlineError('EMBEDDING_FAILED', `The model failed on a batch of texts: ${message.message}.`),
        );
    }
  }

  #take(id: number): PromiseWithResolvers<EmbeddedBatch> | undefined {
    const answer = this.#pending.get(id);
    this.#pending.delete(id);
    return answer;
  }

  #die(how: string, rejectReady: (error: Error) => void): void {
    if (!this.#alive) return;
    this.#alive = false;
    const error = new ChildDied(how);
    rejectReady(error);
    for (const answer of this.#pending.values()) answer.reject(error);
    this.#pending.clear();
  }
}

/** An inference process is gone, and with it the answers it owed. */
export class ChildDied extends EmbedlineError {
  constructor(how: string) {
    super(
      'EMBEDDING_FAILED',
      `An inference process died: ${how}. Too little memory is the usual cause (each takes up to 400 MB).`,
    );
    this.name = 'ChildDied';
  }
}
