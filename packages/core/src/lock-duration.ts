/** A batch of a worker that has not been heard of for so long goes to another one. */
export const DEFAULT_LOCK_DURATION_MS = 30_000;
