import type { DatabaseSync } from 'node:sqlite';
import { storedInstant } from '../../dates.ts';
import {
  POINT_FIELDS,
  type Bounds,
  type FilterCondition,
  type SearchFilter,
  type ValueMatcher,
} from '../filter/search-filter.ts';
import { SOUND_PAYLOAD } from './point-rows.ts';

/** A condition on rows of `point p`, and the values of its placeholders. */
export interface SqlCondition {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

/** SQL function: the first instant of the date that a text spells, NULL for any other text. */
const DATE_FUNCTION = 'embedline_instant';
const COMPARISONS = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

/** A filter as SQL. @param database where the condition will be used: it gets the functions that the condition calls */
export function toSql(filter: SearchFilter, database: DatabaseSync): SqlCondition {
  if (filter.length === 0) return { sql: 'TRUE', values: [] };
  if (filter.some(({ anyOf }) => anyOf.some(({ kind }) => kind === 'date')))
    database.function(DATE_FUNCTION, { deterministic: true }, (text) =>
      typeof text === 'string' ? storedInstant(text) : null,
    );
  return join(filter.map(conditionOnField), ' AND ');
}

/** json_each lists the elements of a list, and a scalar as its only element: one condition serves both. */
function conditionOnField({ field, negated, anyOf }: FilterCondition): SqlCondition {
  const test = join(anyOf.map(elementTest), ' OR ');
  const places = jsonPaths(field).map((path) => ({
    sql: `EXISTS (SELECT 1 FROM json_each(${SOUND_PAYLOAD}, ?) e WHERE ${test.sql})`,
    values: [path, ...test.values],
  }));
  const { sql, values } = join(places, ' OR ');
  return { sql: negated ? `NOT (${sql})` : sql, values };
}

function elementTest(matcher: ValueMatcher): SqlCondition {
  switch (matcher.kind) {
    case 'present':
      return { sql: `e.type <> 'null'`, values: [] };
    case 'null':
      return { sql: `e.type = 'null'`, values: [] };
    case 'boolean':
      return { sql: 'e.type = ?', values: [String(matcher.value)] };
    case 'text':
      return { sql: `e.type = 'text' AND e.value = ?`, values: [matcher.value] };
    case 'number':
      // Whole numbers beyond 2^53 stand in JSON with the digits of the nearest double: it is the doubles that compare.
      return within(`e.type IN ('integer', 'real')`, 'CAST(e.value AS REAL)', matcher);
    case 'date':
      return within(`e.type = 'text'`, `${DATE_FUNCTION}(e.value)`, matcher);
  }
}

function within(type: string, value: string, bounds: Bounds<number | string>): SqlCondition {
  const limits = (['gt', 'gte', 'lt', 'lte'] as const).flatMap((name) => {
    const limit = bounds[name];
    return limit === undefined ? [] : [{ sql: `${value} ${COMPARISONS[name]} ?`, values: [limit] }];
  });
  return join([{ sql: type, values: [] }, ...limits], ' AND ');
}

function join(conditions: readonly SqlCondition[], operator: string): SqlCondition {
  return {
    sql: conditions.map(({ sql }) => `(${sql})`).join(operator),
    values: conditions.flatMap(({ values }) => values),
  };
}

/** SQLite reads names in quotes as JSON writes them. */
function jsonPaths(field: string): string[] {
  const name = JSON.stringify(field);
  return POINT_FIELDS.has(field) ? [`$.${name}`, `$."metadata".${name}`] : [`$."metadata".${name}`];
}
