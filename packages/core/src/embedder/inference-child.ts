import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { environmentWithoutSecrets } from '../child-environment.ts';
import { EmbedlineError } from '../errors.ts';
import type { InferenceRequest, InferenceResponse, InferenceSettings } from './inference-protocol.ts';

const PROGRAM = new URL('./inference-process.ts', import.meta.url);

interface PendingRequest extends PromiseWithResolvers<Float32Array> {
  readonly id: number;
}

/** One inference process. When it dies, its pending requests fail with {@link ChildDied}; it is not started again. */
export class InferenceChild {
  /** Resolves when the model is loaded; rejected with MODEL_INVALID, or {@link ChildDied}. */
  readonly ready: Promise<void>;
  readonly #process: ChildProcess;
  /** Oldest first: the process answers in this order. */
  readonly #pending: PendingRequest[] = [];
  readonly #ready = Promise.withResolvers<void>();
  readonly #died = Promise.withResolvers<ChildDied>();
  #closing = false;
  #alive = true;
  #loaded = false;
  #lastId = 0;
  #residentBytes = 0;

  /** @param program speaks the protocol of inference-protocol.ts. Defaults to inference-process.ts */
  constructor(settings: InferenceSettings, program = PROGRAM) {
    this.#process = fork(fileURLToPath(program), [JSON.stringify(settings)], {
      env: environmentWithoutSecrets(),
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: [],
    });
    this.ready = this.#ready.promise;
    this.ready.catch(() => undefined);
    this.#process.on('message', (message) => this.#receive(message as InferenceResponse));
    this.#process.on('error', () => this.#die('it could not be started'));
    this.#process.on('exit', (code, signal) =>
      this.#die(`it ended with ${signal ?? `code ${String(code)}`}`),
    );
  }

  /** Resolves when the process ended without being told to; never when it was. */
  get died(): Promise<ChildDied> {
    return this.#died.promise;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Alive, and the model is loaded. */
  get isReady(): boolean {
    return this.#alive && this.#loaded;
  }

  /** Requests sent and not answered. */
  get load(): number {
    return this.#pending.length;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Resident memory after the last answer; 0 before the first. */
  get residentBytes(): number {
    return this.#residentBytes;
  }

  /**
   * @param texts token ids of each text, of one length where the engine mixes none
   * @returns their vectors, one after the other
   * @throws EmbedlineError EMBEDDING_FAILED; {@link ChildDied}
   */
  embed(texts: readonly (readonly number[])[]): Promise<Float32Array> {
    const lengths = Int32Array.from(texts, ({ length }) => length);
    const ids = new Int32Array(lengths.reduce((sum, length) => sum + length, 0));
    let offset = 0;
    for (const text of texts) {
      ids.set(text, offset);
      offset += text.length;
    }
    const pending = { ...Promise.withResolvers<Float32Array>(), id: (this.#lastId += 1) };
    this.#pending.push(pending);
    const request: InferenceRequest = { id: pending.id, ids, lengths };
    // A failure to send means that the process is ending: `exit` follows and settles what is pending.
    if (this.#process.connected) this.#process.send(request, () => undefined);
    return pending.promise;
  }

  /** SIGKILL: asking politely is no use while native code runs, and there is nothing in it to lose. */
  async close(): Promise<void> {
    if (!this.#alive) return;
    this.#closing = true;
    const exited = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await exited;
  }

  #receive(message: InferenceResponse): void {
    switch (message.type) {
      case 'ready':
        this.#loaded = true;
        return this.#ready.resolve();
      case 'unusable':
        this.#ready.reject(
          new EmbedlineError(
            'MODEL_INVALID',
            `The model cannot be loaded: ${message.message}. Fetch its files again.`,
          ),
        );
        this.#closing = true;
        this.#process.kill('SIGKILL');
        return;
      case 'embedded':
        this.#residentBytes = message.residentBytes;
        this.#take(message.id)?.resolve(message.vectors);
        return;
      case 'failed':
        this.#take(message.id)?.reject(
          new EmbedlineError('EMBEDDING_FAILED', `The model failed on a batch of texts: ${message.message}.`),
        );
    }
  }

  #take(id: number): PendingRequest | undefined {
    const position = this.#pending.findIndex((pending) => pending.id === id);
    return position === -1 ? undefined : this.#pending.splice(position, 1)[0];
  }

  #die(how: string): void {
    if (!this.#alive) return;
    this.#alive = false;
    if (!this.#closing) this.#died.resolve(new ChildDied(how, this.#pending.length > 0));
    this.#ready.reject(new ChildDied(how, false));
    this.#pending.splice(0).forEach(({ reject }, index) => reject(new ChildDied(how, index === 0)));
  }
}

/** An inference process is gone, and with it the answers it owed. */
export class ChildDied extends EmbedlineError {
  /** True for the request that it worked at, which may be why it died; false for those that waited behind it. */
  readonly working: boolean;

  constructor(how: string, working: boolean) {
    super(
      'EMBEDDING_FAILED',
      `An inference process died: ${how}. Too little memory is the usual cause (each takes up to 400 MB).`,
    );
    this.name = 'ChildDied';
    this.working = working;
  }
}
