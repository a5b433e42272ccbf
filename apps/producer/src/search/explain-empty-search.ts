import type { FilterCondition, GenerationPoints, SearchFilter } from '@embedline/core';
import { isEmbedlineError } from '@embedline/core/base';
import { whereHas } from '@embedline/core/search';

/**
 * Why a search found nothing, condition by condition, for people: a field that no point has, or a comparison with another
 * type than the field holds. Nothing when the conditions hold one by one and only their combination does not.
 */
export async function explainEmptySearch(
  points: GenerationPoints,
  filter: SearchFilter,
  signal: AbortSignal,
): Promise<string[]> {
  const count = (conditions: SearchFilter) => points.count({ filter: conditions, signal });
  try {
    if ((await count([])) === 0) return ['The collection is empty.'];
    const reasons = await Promise.all(filter.map((condition) => explain(condition, count)));
    return reasons.filter((reason) => reason !== null);
  } catch (error) {
    // A server may forbid conditions without an index; the answer to the search stands without an explanation.
    if (isEmbedlineError(error, 'STORE_REJECTED')) return [];
    throw error;
  }
}

async function explain(
  condition: FilterCondition,
  count: (filter: SearchFilter) => Promise<number>,
): Promise<string | null> {
  const field = JSON.stringify(condition.field);
  const asksForNull = condition.anyOf.some(({ kind }) => kind === 'null');
  const pointsWithField = await count(whereHas(condition.field));
  if (pointsWithField === 0 && !asksForNull && !condition.negated) {
    return (
      `No point has the field ${field}. Fields are kept when an ingest names them: ` +
      `--metadata-fields ${condition.field}.`
    );
  }
  if ((await count([condition])) > 0) return null;
  const has = `${pointsWithField} points have the field ${field}`;
  const kinds = new Set(condition.anyOf.map(({ kind }) => kind));
  if (kinds.has('number') && !kinds.has('text'))
    return `${has}, none with a number that fits. If it holds texts, ingest it as --metadata-fields ${condition.field}:number.`;
  if (kinds.has('date') && !kinds.has('text'))
    return `${has}, none with a date that fits. Dates are texts such as 2024-05-01 or 2024-05-01T12:00:00Z; if the field holds them written another way, ingest it as --metadata-fields ${condition.field}:date.`;
  return condition.negated
    ? `${has}, and all of them are excluded by the filter.`
    : `${has}, none with that value.`;
}
