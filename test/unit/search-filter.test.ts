import { describe, expect, test } from 'vitest';
import { parseFilters, type FilterCondition, type ValueMatcher } from '@embedline/core';
import { parseDate, storedInstant, toRfc3339 } from '../../packages/core/src/dates.ts';

const condition = (field: string, ...anyOf: ValueMatcher[]): FilterCondition => ({
  field,
  negated: false,
  anyOf,
});
const not = (field: string, ...anyOf: ValueMatcher[]): FilterCondition => ({ field, negated: true, anyOf });
const text = (value: string): ValueMatcher => ({ kind: 'text', value });
const number = (value: number): ValueMatcher => ({ kind: 'number', gte: value, lte: value });
const boolean = (value: boolean): ValueMatcher => ({ kind: 'boolean', value });
const DAY = '2024-05-01T00:00:00.000000Z';
const END_OF_DAY = '2024-05-01T23:59:59.999999Z';

describe('a filter', () => {
  test.each<[string, FilterCondition]>([
    ['year=2009', condition('year', text('2009'), number(2009))],
    ['year = 2009', condition('year', text('2009'), number(2009))],
    ['price=2.50', condition('price', text('2.50'), number(2.5))],
    ['open=true', condition('open', text('true'), boolean(true))],
    ['open=TRUE', condition('open', text('TRUE'), boolean(true))],
    ['open:boolean=False', condition('open', boolean(false))],
    ['big=9007199254740992', condition('big', text('9007199254740992'), number(2 ** 53))],
    ['big>1e20', condition('big', { kind: 'number', gt: 1e20 })],
    ['zero>=-0', condition('zero', { kind: 'number', gte: -0 })],
    ['day<=9999-12-31', condition('day', { kind: 'date', lte: '9999-12-31T23:59:59.999999Z' })],
    ['"dc:date"=2024', condition('dc:date', text('2024'), number(2024))],
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
    ['day<=2024-05-01', condition('day', { kind: 'date', lte: END_OF_DAY })],
    ['day>2024-05-01', condition('day', { kind: 'date', gt: END_OF_DAY })],
    ['day<2024-05-01', condition('day', { kind: 'date', lt: DAY })],
    ['day:date=2024-05-01', condition('day', { kind: 'date', gte: DAY, lte: END_OF_DAY })],
    ['at>2024-05-01T02:00:00+02:00', condition('at', { kind: 'date', gt: DAY })],
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
    ['lang in (de,fr)', 'without brackets'],
    ['lang not in [de, fr]', 'without brackets'],
    ['year==2009', '== is not an operator'],
    ['year=>2009', '=> is not an operator'],
    ['year<>2009', '<> is not an operator'],
    ['born in = Berlin', 'Quote a value that begins so'],
    ["name='x y'", 'write double quotes'],
    ['year:int=2009', 'no type int'],
    ['id>9007199254740993', 'beyond 2^53'],
    ['id:number=9007199254740993', 'beyond 2^53'],
  ])('%s is refused with its reason', (filter, reason) => {
    expect(() => parseFilters(['year=1', filter])).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => parseFilters([filter])).toThrow(reason);
  });
});

/** As written, as an instant, and as RFC 3339; whether a store compares it as it is written. */
const DATES: [string, string, string, boolean][] = [
  ['2024-05-01', '2024-05-01T00:00:00.000000Z', '2024-05-01', true],
  ['2024-5-1', '2024-05-01T00:00:00.000000Z', '2024-05-01', true],
  ['2024-05-01T12:30Z', '2024-05-01T12:30:00.000000Z', '2024-05-01T12:30:00Z', false],
  ['2024-05-01T12:30', '2024-05-01T12:30:00.000000Z', '2024-05-01T12:30:00Z', false],
  ['2024-05-01 9:05', '2024-05-01T09:05:00.000000Z', '2024-05-01T09:05:00Z', true],
  ['2024-05-01 12:30:15', '2024-05-01T12:30:15.000000Z', '2024-05-01T12:30:15Z', true],
  ['2024-05-01t12:30:15.1234567z', '2024-05-01T12:30:15.123456Z', '2024-05-01T12:30:15.1234567Z', true],
  ['2024-05-01t12:30:15', '2024-05-01T12:30:15.000000Z', '2024-05-01T12:30:15Z', false],
  ['2024-05-01T00:30:00-0130', '2024-05-01T02:00:00.000000Z', '2024-05-01T00:30:00-01:30', true],
  ['2024-05-01 00:30:00+02', '2024-04-30T22:30:00.000000Z', '2024-05-01T00:30:00+02:00', true],
  ['2024-05-01 00:30:00 -0600', '2024-05-01T06:30:00.000000Z', '2024-05-01T00:30:00-06:00', true],
  ['2024-05-01 00:30:00 UTC', '2024-05-01T00:30:00.000000Z', '2024-05-01T00:30:00Z', false],
  ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000000Z', '2016-12-31T23:59:60Z', true],
  ['1969-12-31T23:59:59.9999Z', '1969-12-31T23:59:59.999900Z', '1969-12-31T23:59:59.9999Z', true],
  ['0004-02-29', '0004-02-29T00:00:00.000000Z', '0004-02-29', true],
  ['9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z', true],
];

describe('a date', () => {
  test.each(DATES)('%s is the same to readers, filters and stores', (written, instant, rfc3339, isStored) => {
    expect(parseDate(written)?.from).toBe(instant);
    expect(toRfc3339(written)).toBe(rfc3339);
    expect(storedInstant(rfc3339)).toBe(instant);
    expect(storedInstant(written)).toBe(isStored ? instant : null);
  });

  test.each([
    '2024-02-30',
    '2023-02-29',
    '1900-02-29',
    '2024-13-01',
    '2024-00-01',
    '2024-05-01T24:00:00Z',
    '2024-05-01T10:60:00Z',
    '2024-05-01T10:00:61Z',
    '2024-05',
    '20240501',
    'May 1',
    '2024-05-01 UTC',
    '2024-05-01T10:00+25:00',
    '2024-05-01T10:00:00 +9',
    '9999-12-31T23:59:59-01:00',
  ])('%s is not one', (written) => {
    expect([parseDate(written), toRfc3339(written), storedInstant(written)]).toEqual([null, null, null]);
  });
});
