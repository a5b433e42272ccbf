import type { AuditEvent, Generation } from '@embedline/core';

/** Of generations that an ingest has dropped. */
export function aboutDropped(generations: readonly Generation[]): AuditEvent {
  return {
    action: 'generations-dropped',
    command: 'ingest',
    ...(generations[0] === undefined ? {} : { collection: generations[0].collection }),
    generations: generations.map(({ name }) => name),
    counts: { generations: generations.length },
  };
}
