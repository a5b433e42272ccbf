import { expect, test } from 'vitest';
import { jsonl, testBench } from '../support/cli.ts';
import { runInProcess } from '../support/in-process-cli.ts';

test('search: filters on one field all hold, and an empty answer says which condition is at fault', async () => {
  const bench = await testBench();
  const records = [
    { id: 'old', text: 'a bridge over the river', year: 1999, state: 'true', added: '2024-05-01' },
    { id: 'new', text: 'a bridge over the valley', year: 2009, state: 'false', added: '2024-06-01' },
  ];
  const kept = ['--metadata-fields', 'year,state,added', '--workers', '1'];
  await bench.run(['ingest', '-', '--collection', 'docs', ...kept], jsonl(records));
  const search = async (...filters: string[]) => {
    const flags = filters.flatMap((filter) => ['--filter', filter]);
    const args = ['search', 'bridge', '--collection', 'docs', '--json', ...flags];
    const { code, json, stderr } = await runInProcess(bench, args);
    expect(code).toBe(0);
    return { found: json.map(({ documentId }) => documentId), stderr };
  };
  expect((await search('year>=1990', 'year<2000')).found).toEqual(['old']);
  expect((await search('year=1999', 'year=2009')).found).toEqual([]);
  expect((await search('state=true')).found).toEqual(['old']);
  expect((await search('added>=2024-05-02')).found).toEqual(['new']);
  expect((await search('year=1999', 'state=true', 'added<=2024-05-01')).stderr).toBe('');
  const stderr = async (...filters: string[]) => (await search(...filters)).stderr;
  expect(await stderr('yaer=1999')).toMatch(/No point has the field "yaer".*--metadata-fields yaer/);
  expect(await stderr('state>=1')).toMatch(
    /2 points have the field "state", none with a number.*state:number/,
  );
  expect(await stderr('year=1900')).toMatch(/2 points have the field "year", none with that value/);
  expect(await stderr('state not in true,false')).toMatch(/all of them are excluded/);
  expect(await stderr('year=1999', 'state=false')).toBe('');
});
