import { describe, expect, test } from 'vitest';
import { parseFilters, type FilterCondition, type ValueMatcher } from '@embedline/core';
import { formatInstant, parseDate } from '../../packages/core/src/vector-store/filter/dates.ts';

const condition = (field: string, ...anyOf: ValueMatcher[]): FilterCondition => ({
  field,
  negated: false,
  anyOf,
});
const not = (field: string, ...anyOf: ValueMatcher[]): FilterCondition => ({ field, negated: true, anyOf });
const text = (value: string): ValueMatcher => ({ kind: 'text', value });
const number = (value: number): ValueMatcher => ({ kind: 'number', gte: value, lte: value });
const boolean = (value: boolean): ValueMatcher => ({ kind: 'boolean', value });
const DAY = Date.parse('2024-05-01T00:00:00Z') * 1000;
const NEXT_DAY = Date.parse('2024-05-02T00:00:00Z') * 1000;

describe('a filter', () => {
  test.each<[string, FilterCondition]>([
    ['year=2009', condition('year', text('2009'), number(2009))],
    ['year = 2009', condition('year', text('2009'), number(2009))],
    ['price=2.50', condition('price', text('2.50'), number(2.5))],
    ['open=true', condition('open', text('true'), boolean(true))],
    ['gone=null', condition('gone', text('null'), { kind: 'null' })],
    ['zip=01234', condition('zip', text('01234'))],
    ['version=1.', condition('version', text('1.'))],
    ['big=1e999', condition('big', text('1e999'))],
    ['id=9007199254740993', condition('id', text('9007199254740993'))],
    ['name=a=b', condition('name', text('a=b'))],
    ['name=', condition('name', text(''))],
    ['code="007"', condition('code', text('007'))],
    ['code="say \\"hi\\""', condition('code', text('say "hi"'))],
    ['path="C:\\dir"', condition('path', text('C:\\dir'))],
    ['"a=b"=c', condition('a=b', text('c'))],
    ['first name=Ann', condition('first name', text('Ann'))],
    ['isbn:text=2009', condition('isbn', text('2009'))],
    ['year:number=2009', condition('year', number(2009))],
    ['open:boolean=false', condition('open', boolean(false))],
    ['urn:x=y', condition('urn:x', text('y'))],
    ['lang!=de', not('lang', text('de'))],
    ['year>=2009', condition('year', { kind: 'number', gte: 2009 })],
    ['year>-1.5', condition('year', { kind: 'number', gt: -1.5 })],
    ['year < 2009', condition('year', { kind: 'number', lt: 2009 })],
    ['day>=2024-05-01', condition('day', { kind: 'date', gte: DAY })],
    ['day<=2024-05-01', condition('day', { kind: 'date', lt: NEXT_DAY })],
    ['day>2024-05-01', condition('day', { kind: 'date', gte: NEXT_DAY })],
    ['day<2024-05-01', condition('day', { kind: 'date', lt: DAY })],
    ['day:date=2024-05-01', condition('day', { kind: 'date', gte: DAY, lt: NEXT_DAY })],
    ['at>2024-05-01T02:00:00+02:00', condition('at', { kind: 'date', gte: DAY + 1 })],
    ['lang in de,fr', condition('lang', text('de'), text('fr'))],
    ['lang IN de , 3', condition('lang', text('de'), text('3'), number(3))],
    ['lang in "a, b",c', condition('lang', text('a, b'), text('c'))],
    ['lang not in de,fr', not('lang', text('de'), text('fr'))],
    ['within=x', condition('within', text('x'))],
  ])('%s', (filter, expected) => {
    expect(parseFilters([filter])).toEqual([expected]);
  });

  test('several on one field must all hold', () => {
    expect(parseFilters(['tag=a', 'tag=b', 'year>1', 'year<9'])).toHaveLength(4);
  });

  test.each([
    ['year', 'expected FIELD=VALUE'],
    ['=x', 'no field'],
    ['', 'expected FIELD=VALUE'],
    ['name>abc', 'expected a number or a date'],
    ['day:date=soon', 'expected a date'],
    ['year:number=x', 'expected a number'],
    ['open:boolean=yes', 'true or false'],
    ['name:text>b', 'has no order'],
    ['name="x', 'not closed'],
    ['name="x" y', 'not closed, or something follows'],
    ['lang in a,,b', 'between the commas'],
    ['lang in ,', 'between the commas'],
  ])('%s is refused with its reason', (filter, reason) => {
    expect(() => parseFilters(['year=1', filter])).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => parseFilters([filter])).toThrow(reason);
  });
});

describe('a date', () => {
  test.each([
    ['2024-05-01', '2024-05-01T00:00:00.000000Z'],
    ['2024-05-01T12:30Z', '2024-05-01T12:30:00.000000Z'],
    ['2024-05-01 12:30:15', '2024-05-01T12:30:15.000000Z'],
    ['2024-05-01t12:30:15.1234567z', '2024-05-01T12:30:15.123456Z'],
    ['2024-05-01T00:30:00-0130', '2024-05-01T02:00:00.000000Z'],
    ['1969-12-31T23:59:59.9999Z', '1969-12-31T23:59:59.999900Z'],
  ])('%s', (written, instant) => {
    expect(formatInstant(parseDate(written)?.from ?? NaN)).toBe(instant);
  });

  test.each([
    '2024-02-30',
    '2024-13-01',
    '2024-05-01T24:00:00Z',
    '2024-05',
    '20240501',
    'May 1',
    '2024-05-01T10:00+25:00',
  ])('%s is not one', (written) => {
    expect(parseDate(written)).toBeNull();
  });
});
