import { EmbedlineError } from '../../errors.ts';
import { parseDate } from '../../dates.ts';
import type { Bounds, FilterCondition, SearchFilter, ValueMatcher } from './search-filter.ts';

/** How a value is read when its type is said: `year:number=2009`. */
const TYPES = ['text', 'number', 'boolean', 'date'] as const;
type ValueType = (typeof TYPES)[number];
type Comparison = '=' | '!=' | '<' | '<=' | '>' | '>=';
type Operator = Comparison | 'in' | 'not in';

interface Parts {
  readonly field: string;
  /** Null when it is not said. */
  readonly type: ValueType | null;
  readonly operator: Operator;
  readonly value: string;
}

const FORM = 'FIELD=VALUE, FIELD!=VALUE, FIELD>=VALUE (also <=, >, <), or "FIELD in A,B"';
/** As JSON writes numbers: `007` and `1.` are texts. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** Types as other programs call them. */
const OTHER_TYPES = /:(string|str|int|integer|float|double|bool|datetime|timestamp|keyword)$/;
const QUOTED = /"(?:[^"\\]|\\.)*"/y;
const OPERATOR = /\s*(?<symbol>!=|>=|<=|=|>|<)\s*|\s+(?<word>not\s+in|in)\s+/giy;

/**
 * Reads filters as people write them. Every one must hold, those on the same field too.
 *
 *   year=2009            the text "2009" or the number 2009; likewise true, false (in any case) and null
 *   isbn:text=2009       the text only; year:number=2009 the number, day:date=2024-05-01 any time of that day (UTC)
 *   name="x, y"          the text only; quotes also let a field or a value hold what would be read otherwise
 *   lang!=de             not that value; a point without the field passes
 *   year>=2009           a range of numbers, or of dates: day<2024-05-01
 *   lang in de,fr        one of them; "lang not in de,fr" none of them
 *
 * @throws EmbedlineError USAGE, which quotes the filter and says what it should look like
 */
export function parseFilters(filters: readonly string[]): SearchFilter {
  return filters.map(parseFilter);
}

function parseFilter(filter: string): FilterCondition {
  const { field, type, operator, value } = split(filter);
  const negated = operator === '!=' || operator === 'not in';
  if (operator === 'in' || operator === 'not in')
    return {
      field,
      negated,
      anyOf: listItems(value, filter).flatMap((item) => matchers(item, type, filter)),
    };
  const anyOf =
    operator === '=' || operator === '!='
      ? matchers(value, type, filter)
      : [range(value, type, operator, filter)];
  return { field, negated, anyOf };
}

/** The first operator outside quotes parts the field from the value. */
function split(filter: string): Parts {
  for (let at = 0; at < filter.length; at += 1) {
    at += matchAt(QUOTED, filter, at)?.[0].length ?? 0;
    const operator = matchAt(OPERATOR, filter, at);
    if (operator === null) continue;
    const { symbol, word } = operator.groups ?? {};
    const value = filter.slice(at + operator[0].length).trim();
    assertNoOperator(`${symbol ?? ''}${value}`, value, filter);
    return {
      ...fieldOf(filter.slice(0, at).trim(), filter),
      operator: (symbol ?? word?.toLowerCase().replace(/\s+/, ' ') ?? '=') as Operator,
      value,
    };
  }
  throw usage(filter, `expected ${FORM}`);
}

/** `==`, `=>` and the like are habits of other languages: taken for a part of the value they would match nothing. */
function assertNoOperator(written: string, value: string, filter: string): void {
  const [operator] = /^[=<>!]*/.exec(written) ?? [''];
  if (/^[=<>]/.test(value))
    throw usage(
      filter,
      `${operator} is not an operator; expected ${FORM}. Quote a value that begins so: ${JSON.stringify(value)}`,
    );
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function fieldOf(text: string, filter: string): Pick<Parts, 'field' | 'type'> {
  const type = TYPES.find((name) => text.endsWith(`:${name}`)) ?? null;
  const unknown = OTHER_TYPES.exec(text)?.[1];
  if (unknown !== undefined)
    throw usage(
      filter,
      `there is no type ${unknown}; known are ${TYPES.join(', ')}. Quote a field of that name`,
    );
  const name = (type === null ? text : text.slice(0, -type.length - 1)).trim();
  const field = unquote(name, filter) ?? name;
  if (field === '') throw usage(filter, `no field stands before the operator; expected ${FORM}`);
  return { field, type };
}

/** Parts of a list, at commas outside quotes. */
function listItems(text: string, filter: string): string[] {
  const items = [''];
  for (const part of text.match(/"(?:[^"\\]|\\.)*"|[^]/gu) ?? []) {
    if (part === ',') items.push('');
    else items.push(`${items.pop() ?? ''}${part}`);
  }
  const trimmed = items.map((item) => item.trim());
  if (trimmed.includes('')) throw usage(filter, 'expected values between the commas');
  if (/^(?:\(.*\)|\[.*\])$/s.test(text.trim()))
    throw usage(filter, 'write the list without brackets: FIELD in A,B. Quote a value that begins with one');
  return trimmed;
}

/** What a value matches: all that it spells, or only what its type says. */
function matchers(value: string, type: ValueType | null, filter: string): ValueMatcher[] {
  const quoted = unquote(value, filter);
  const text = quoted ?? value;
  if (type !== null) return [typed(text, type, filter)];
  const matches: ValueMatcher[] = [{ kind: 'text', value: text }];
  if (quoted !== null) return matches;
  if (spellsNumber(text)) matches.push({ kind: 'number', gte: Number(text), lte: Number(text) });
  const boolean = spelledBoolean(text);
  if (boolean !== null) matches.push({ kind: 'boolean', value: boolean });
  if (text === 'null') matches.push({ kind: 'null' });
  return matches;
}

function typed(text: string, type: ValueType, filter: string): ValueMatcher {
  if (type === 'text') return { kind: 'text', value: text };
  if (type === 'boolean') {
    const value = spelledBoolean(text);
    if (value !== null) return { kind: 'boolean', value };
    throw usage(filter, `a boolean is true or false, not ${JSON.stringify(text)}`);
  }
  return range(text, type, '=', filter);
}

/** A day stands for the whole of it: `<=` includes its last moment, `>` begins after it. */
function range(value: string, type: ValueType | null, operator: Comparison, filter: string): ValueMatcher {
  if (type === 'text' || type === 'boolean')
    throw usage(filter, `a ${type} has no order; ${operator} compares numbers and dates`);
  const text = unquote(value, filter) ?? value;
  if (type !== 'date' && spellsNumber(text)) {
    const number = Number(text);
    return { kind: 'number', ...bounds(operator, number, number) };
  }
  const date = type === 'number' ? null : parseDate(text);
  if (date !== null) return { kind: 'date', ...bounds(operator, date.from, date.to) };
  if (type !== 'date' && NUMBER.test(text))
    throw usage(
      filter,
      `${text} is not a number that can be compared exactly (beyond 2^53); keep such a field as text`,
    );
  const expected = type === 'number' ? 'a number' : type === 'date' ? 'a date' : 'a number or a date';
  throw usage(
    filter,
    `expected ${expected} (2009, 2024-05-01, 2024-05-01T12:00:00Z), got ${JSON.stringify(text)}`,
  );
}

/** Limits of what compares so with the values from `from` to `to`, both included. */
function bounds<T>(operator: Comparison, from: T, to: T): Bounds<T> {
  if (operator === '>=') return { gte: from };
  if (operator === '<') return { lt: from };
  if (operator === '>') return { gt: to };
  return operator === '<=' ? { lte: to } : { gte: from, lte: to };
}

/** A whole number that a double cannot hold, beyond 2^53, is left out: it would match its neighbours. */
function spellsNumber(text: string): boolean {
  const number = Number(text);
  if (!NUMBER.test(text) || !Number.isFinite(number)) return false;
  return Number.isSafeInteger(number) || !/^-?\d+$/.test(text) || BigInt(text) === BigInt(number);
}

/** In any case: Python writes True, spreadsheets TRUE. Null for anything else. */
function spelledBoolean(text: string): boolean | null {
  const word = text.toLowerCase();
  return word === 'true' || word === 'false' ? word === 'true' : null;
}

/** The content of a text in double quotes, null of any other. */
function unquote(text: string, filter: string): string | null {
  if (text.length > 1 && text.startsWith("'") && text.endsWith("'"))
    throw usage(filter, `write double quotes for ${text}`);
  if (!text.startsWith('"')) return null;
  if (matchAt(QUOTED, text, 0)?.[0].length !== text.length)
    throw usage(filter, 'a double quote is not closed, or something follows the closing one');
  try {
    return JSON.parse(text) as string;
  } catch {
    // A backslash that JSON does not know stands for itself.
    return text.slice(1, -1);
  }
}

function usage(filter: string, problem: string): EmbedlineError {
  return new EmbedlineError('USAGE', `Filter ${JSON.stringify(filter)} cannot be read: ${problem}.`);
}
