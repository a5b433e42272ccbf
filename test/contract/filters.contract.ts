import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseFilters, whereHas, type Metadata } from '@embedline/core';
import { passes } from '../support/filter-oracle.ts';
import { pointOf, vectorOf } from '../support/points.ts';
import type { StoreOpener } from './open-generation.ts';

/** Documents that spell the same values in different types. */
const DOCUMENTS: Record<string, Metadata> = {
  number: { year: 2009, open: true, price: 2.5, tags: ['a', 'b'], day: '2024-05-01' },
  text: { year: '2009', open: 'true', price: '2.50', tags: ['b'], day: '2024-05-01T23:59:59.5Z' },
  later: { year: 2010, open: false, price: 3, tags: [], day: '2024-05-02T01:00:00+02:00' },
  list: { year: [1999, 2009, '2009'], tags: ['c', 7, null], day: ['2023-01-01', 'soon'] },
  none: { year: null, 'first [name]': 'Ann', 'a.b': 'dotted', größe: 'XL', title: 'One' },
  times: {
    year: 2 ** 60,
    open: 'TRUE',
    price: 0.1 + 0.2,
    day: ['9999-12-31T23:59:59.999999Z', '2016-12-31 23:59:60+00', '2024-05-01T10:00'],
    tags: [null],
  },
  bare: {},
};
const TEXTS = [
  '2009',
  '2010',
  '01',
  'true',
  'null',
  'a',
  'b',
  '7',
  '2.5',
  '2024-05-01',
  '2024-05-01T22:30:00Z',
];

/** Filters: the same grammar and the same answers in every store. */
export function describeFilters(name: string, { openPoints }: StoreOpener): void {
  const load = async () => {
    const { points } = await openPoints();
    const all = Object.entries(DOCUMENTS).map(([id, metadata]) => pointOf(id, id, { metadata }));
    await points.upsert(all, { runSequence: 1 });
    const found = async (...filters: string[]) => {
      const filter = parseFilters(filters);
      const hits = await points.search({ vector: vectorOf('number'), filter, limit: 100, exact: true });
      expect(await points.count({ filter })).toBe(hits.length);
      return hits.map(({ documentId }) => documentId).toSorted();
    };
    return { points, found };
  };

  describe(`${name}: filters`, () => {
    test('a value matches the text and the number or boolean it spells, unless it is typed', async () => {
      const { found } = await load();
      expect(await found('year=2009')).toEqual(['list', 'number', 'text']);
      expect(await found('year:number=2009')).toEqual(['list', 'number']);
      expect(await found('year:text=2009')).toEqual(['list', 'text']);
      expect(await found('open=true')).toEqual(['number', 'text']);
      expect(await found('open:boolean=true')).toEqual(['number']);
      expect(await found('open="true"')).toEqual(['text']);
      expect(await found('price=2.50')).toEqual(['number', 'text']);
      expect(await found('year=null')).toEqual(['none']);
      expect(await found('tags=null')).toEqual(['list', 'times']);
      expect(await found('open=TRUE')).toEqual(['number', 'times']);
      expect(await found(`year=${2n ** 60n}`, `price=${0.1 + 0.2}`)).toEqual(['times']);
    });

    test('repeated, each must hold, on one field too', async () => {
      const { found } = await load();
      expect(await found('tags=a', 'tags=b')).toEqual(['number']);
      expect(await found('year=2009', 'open:boolean=true')).toEqual(['number']);
      expect(await found('year>2000', 'year<2010')).toEqual(['list', 'number']);
      expect(await found('year=2009', 'year=2010')).toEqual([]);
    });

    test('not equal, lists of values, ranges of numbers', async () => {
      const { found } = await load();
      expect(await found('year!=2009')).toEqual(['bare', 'later', 'none', 'times']);
      expect(await found('tags in a,c')).toEqual(['list', 'number']);
      expect(await found('tags not in a,c')).toEqual(['bare', 'later', 'none', 'text', 'times']);
      expect(await found('price>=2.5')).toEqual(['later', 'number']);
      expect(await found('price>2.5')).toEqual(['later']);
      expect(await found('year<=1999')).toEqual(['list']);
    });

    test('dates: a day is the whole day in UTC, offsets count', async () => {
      const { found } = await load();
      expect(await found('day:date=2024-05-01')).toEqual(['later', 'number', 'text']);
      expect(await found('day<=2024-05-01')).toEqual(['later', 'list', 'number', 'text', 'times']);
      expect(await found('day>2024-05-01')).toEqual(['times']);
      expect(await found('day<=9999-12-31', 'day>=9999-12-31T23:59:59.999999Z')).toEqual(['times']);
      expect(await found('day>9999-12-31T23:59:59.999998Z')).toEqual(['times']);
      expect(await found('day>9999-12-31T23:59:59.999999Z')).toEqual([]);
      expect(await found('day:date=2017-01-01')).toEqual(['times']);
      expect(await found('day:date=2024-05-01T10:00:00Z')).toEqual([]);
      expect(await found('day>=2024-05-01T23:00:00Z')).toEqual(['later', 'text', 'times']);
      expect(await found('day<2024-01-01')).toEqual(['list', 'times']);
    });

    test('fields with blanks, brackets and dots; fields of the point; absent fields', async () => {
      const { points, found } = await load();
      expect(await found('first [name]=Ann', 'a.b=dotted', 'größe=XL')).toEqual(['none']);
      expect(await found('title=One')).toEqual(['none']);
      expect(await found('document_id in bare,later')).toEqual(['bare', 'later']);
      expect(await found('absent=1')).toEqual([]);
      expect(await points.count({ filter: whereHas('year') })).toBe(5);
      expect(await points.count({ filter: whereHas('absent') })).toBe(0);
      expect(await points.count({ pipeline: 'docs', filter: whereHas('open') })).toBe(4);
      expect(await points.count({ pipeline: 'other', filter: whereHas('open') })).toBe(0);
    });

    test('any filters give what they mean', async () => {
      const { found } = await load();
      const value = fc.constantFrom(...TEXTS);
      const filter = fc.oneof(
        fc
          .tuple(fc.constantFrom('year', 'open', 'price', 'tags', 'day'), fc.constantFrom('=', '!='), value)
          .map((parts) => parts.join('')),
        fc
          .tuple(
            fc.constantFrom('year', 'day', 'price'),
            fc.constantFrom('<', '<=', '>', '>='),
            fc.constantFrom('2009', '2.5', '2024-05-01', '2024-05-01T22:30:00Z'),
          )
          .map((parts) => parts.join('')),
        fc
          .tuple(fc.constantFrom('year', 'tags', 'open'), fc.constantFrom(' in ', ' not in '), value, value)
          .map(([field, operator, one, two]) => `${field}${operator}${one},${two}`),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(filter, { maxLength: 3 }), async (filters) => {
          const meant = parseFilters(filters);
          const expected = Object.entries(DOCUMENTS).filter(([, metadata]) => passes(meant, metadata));
          expect(await found(...filters)).toEqual(expected.map(([id]) => id).toSorted());
        }),
        { numRuns: 150 },
      );
    });
  });
}
