import {
  createRedisBackend,
  Worker,
  type Job,
  type JobJson,
  type Processor,
  type WorkerOptions,
} from 'bullmq';

export interface BoundedWorkerOptions {
  readonly name: string;
  /** Null for a worker that is asked for one job at a time, and needs no blocking connection. */
  readonly process: Processor | null;
  readonly settings: WorkerOptions;
  /** Data of more characters is not parsed, and comes out as null. */
  readonly maxDataCharacters: number;
}

/**
 * A worker of BullMQ that trusts no job. Data that is too long, or is not JSON, comes out as null, which is no job of
 * embedline's; BullMQ would parse all there is, and its queue stands still at what it cannot parse. A job has neither a
 * parent nor a repetition: embedline makes none of these, and BullMQ would write where they say.
 */
export class BoundedWorker extends Worker {
  readonly #maxDataCharacters: number;

  constructor({ name, process, settings, maxDataCharacters }: BoundedWorkerOptions) {
    if (process === null) super(name, null, settings, (queue, options) => createRedisBackend(queue, options));
    else super(name, process, settings);
    this.#maxDataCharacters = maxDataCharacters;
  }

  protected override createJob(json: JobJson, jobId: string): Job {
    const { parent: _parent, parentKey: _parentKey, repeatJobKey: _repeatJobKey, ...own } = json;
    const nothing = { ...own, data: 'null' };
    if (own.data.length > this.#maxDataCharacters) return super.createJob(nothing, jobId);
    try {
      return super.createJob(own, jobId);
    } catch {
      return super.createJob(nothing, jobId);
    }
  }
}
