import { availableParallelism, cpus, totalmem } from 'node:os';

/** What this process may use of its machine: of a container's limits, not of its host. */
export interface MachineLimits {
  /** Cores; a fraction counts for nothing. */
  readonly cores: number;
  readonly memoryBytes: number;
  /** Name of the CPU, as the system calls it. */
  readonly cpuModel: string;
}

/** Node reads cgroup limits of CPU (availableParallelism) and of memory (constrainedMemory, 0 where there is none). */
export function machineLimits(): MachineLimits {
  const constrained = process.constrainedMemory();
  return {
    cores: availableParallelism(),
    memoryBytes: constrained > 0 ? Math.min(constrained, totalmem()) : totalmem(),
    cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
  };
}

/** The worker itself, measured: 170 to 200 MB. */
const WORKER_BYTES = 250 * 1024 * 1024;

/** How many processes of a size fit beside a worker; at least one, since nothing works with none. */
export function processesThatFit({ memoryBytes }: MachineLimits, bytesPerProcess: number): number {
  return Math.max(1, Math.floor((memoryBytes - WORKER_BYTES) / bytesPerProcess));
}
