/**
 * Batches that a worker has under way at once. While many wait, the next ones are taken before the last are done: they
 * are tokenised meanwhile, pooled into micro-batches of equal length, and upserts overlap. When the queues run dry, a
 * batch that is taken early is one that an idle worker does not get.
 * @param waiting batches of the runs that this worker serves
 * @param processes inference processes of this worker
 */
export function batchesAtOnce(waiting: number, workers: number, processes: number): number {
  return waiting > workers * processes ? 2 * processes + 1 : processes;
}
