import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { folderWith, readCorpus } from '../support/read-corpus.ts';

describe('13.9 what is kept out, by folder and glob alike', () => {
  const files = {
    'a.md': 'a',
    '.hidden.md': 'x',
    '.git/config.md': 'x',
    '.notes/n.md': 'x',
    'node_modules/p/README.md': 'x',
    'sub/node_modules/p.md': 'x',
    'sub/b.md': 'b',
  };
  test.each(['.', '**/*.md', './**'])('hidden files, .git and node_modules: %s', async (source) => {
    const cwd = await folderWith(files);
    const found = await readCorpus(cwd, { sources: [source] });
    expect([found.ids, found.problems]).toEqual([['a.md', 'sub/b.md'], []]);
    expect(found.report.skipped).toEqual({ hidden: 3, node_modules: 2 });
    expect((await readCorpus(cwd, { sources: [source], hidden: true })).ids).toEqual([
      '.hidden.md',
      '.notes/n.md',
      'a.md',
      'sub/b.md',
    ]);
    expect((await readCorpus(cwd, { sources: [source], ignore: false })).ids).toEqual([
      'a.md',
      'node_modules/p/README.md',
      'sub/b.md',
      'sub/node_modules/p.md',
    ]);
  });

  test('unless the source names them', async () => {
    const cwd = await folderWith(files);
    expect((await readCorpus(cwd, { sources: ['.notes/*.md'] })).ids).toEqual(['n.md']);
    expect((await readCorpus(cwd, { sources: ['*/node_modules/*.md'] })).ids).toEqual([
      'sub/node_modules/p.md',
    ]);
    expect((await readCorpus(cwd, { sources: ['node_modules/p'] })).ids).toEqual(['README.md']);
  });

  test.each(['.', '**/*.md'])(
    '.gitignore as git has it, nested and negated, then .embedlineignore, then --exclude: %s',
    async (source) => {
      const cwd = await folderWith({
        '.gitignore': 'drafts/\n*.tmp.md\n/only-here.md\n!keep.tmp.md\n',
        'drafts/d.md': 'x',
        'x.tmp.md': 'x',
        'keep.tmp.md': 'k',
        'only-here.md': 'x',
        'sub/only-here.md': 's',
        'sub/.gitignore': '/local.md\n!y.tmp.md\n',
        'sub/local.md': 'x',
        'sub/y.tmp.md': 'y',
        'sub/deep/local.md': 'l',
        'sub/deep/.embedlineignore': '*\n!good.md\n',
        'sub/deep/good.md': 'g',
        'old/o.md': 'x',
      });
      const found = await readCorpus(cwd, { sources: [source], exclude: ['old'] });
      expect(found.ids).toEqual(['keep.tmp.md', 'sub/deep/good.md', 'sub/only-here.md', 'sub/y.tmp.md']);
      expect(found.report.skipped).toEqual({ '.gitignore or .embedlineignore': 5, '--exclude': 1 });
    },
  );

  test('rules tell upper from lower case, as git does: build keeps Build, *.tmp keeps A.TMP.txt, --exclude readme.md', async () => {
    const cwd = await folderWith({
      '.gitignore': 'build\n*.tmp.txt\n[a-c]\n',
      'Build/kept.txt': 'x',
      'build/out.txt': 'x',
      'a.tmp.txt': 'x',
      'A.TMP.txt': 'x',
      'B/kept.txt': 'x',
      'b/out.txt': 'x',
      'sub/.gitignore': 'Draft/\n',
      'sub/draft/kept.txt': 'x',
      'sub/Draft/out.txt': 'x',
      'README.md': 'x',
      'readme.md': 'x',
    });
    expect((await readCorpus(cwd, { exclude: ['readme.md'] })).ids.sort()).toEqual(
      ['A.TMP.txt', 'B/kept.txt', 'Build/kept.txt', 'README.md', 'sub/draft/kept.txt'].sort(),
    );
  });

  test('rules of the repository around a source hold, unless they keep out what was named', async () => {
    const cwd = await folderWith({
      '.git/HEAD': '',
      '.gitignore': 'build/\nsecret.md\n',
      'docs/secret.md': 'x',
      'docs/a.md': 'a',
      'build/b.md': 'b',
    });
    expect((await readCorpus(cwd, { sources: ['docs'] })).ids).toEqual(['a.md']);
    expect((await readCorpus(cwd, { sources: ['build'] })).ids).toEqual(['b.md']);
  });
});

describe('13.9 rules mean what they mean to git', () => {
  test.each([
    ['? and [!a] are one byte', '?.md\n[!a].md\n', ['!y.md', '#x.md', 'ü.md']],
    ['\\# and \\! are characters, # a comment', '\\#x.md\n\\!y.md\n#a.md\n', ['a.md', 'b.md', 'ü.md']],
    [
      'Windows ends its lines otherwise, and begins with a mark',
      '\uFEFFa.md\r\nb.md\r\n',
      ['!y.md', '#x.md', 'ü.md'],
    ],
    ['a blank at the end is dropped unless escaped', 'a.md  \nb.md\\ \n', ['!y.md', '#x.md', 'b.md', 'ü.md']],
    ['what is kept out as a folder cannot be let in again', '/*\n!/sub/\n/sub/*\n!/sub/c.md\n', ['sub/c.md']],
  ])('%s', async (_, rules, ids) => {
    const cwd = await folderWith({
      '.gitignore': rules,
      'a.md': 'a',
      'b.md': 'b',
      'ü.md': 'u',
      '#x.md': 'x',
      '!y.md': 'y',
      'sub/c.md': 'c',
      'sub/d.md': 'd',
    });
    const found = (await readCorpus(cwd)).ids;
    expect(found.filter((id) => rules.includes('sub') || !id.startsWith('sub/')).toSorted()).toEqual(ids);
  });
});

describe('13.9 links are counted, and never block a sweep by themselves', () => {
  const linked = async () => {
    const cwd = await folderWith({ 'in/a.md': 'a', 'in/real/b.md': 'b', 'out/secret.md': 's' });
    await symlink('nowhere.md', join(cwd, 'in', 'dangling.md'));
    await symlink('../out', join(cwd, 'in', 'leads-out'));
    await symlink('real', join(cwd, 'in', 'folder'));
    await symlink('a.md', join(cwd, 'in', 'file.md'));
    await symlink('..', join(cwd, 'in', 'real', 'loop'));
    return cwd;
  };
  test.each(['in', 'in/**/*.md'])('not followed unless asked: %s', async (source) => {
    const found = await readCorpus(await linked(), { sources: [source] });
    expect([found.ids, found.reasons, found.problems]).toEqual([['a.md', 'real/b.md'], [], []]);
    expect(found.report.links.count).toBe(5);
    expect(found.report.links.sample).toContainEqual({ path: 'in/dangling.md', why: 'it leads nowhere' });
  });

  test.each(['in', 'in/**/*.md'])(
    'followed on request, but not out of the source nor in a circle: %s',
    async (source) => {
      const found = await readCorpus(await linked(), { sources: [source], followLinks: true });
      expect([found.ids, found.problems]).toEqual([['a.md', 'file.md', 'folder/b.md', 'real/b.md'], []]);
      expect(found.report.links.sample.map(({ path, why }) => [path, why])).toEqual([
        ['in/dangling.md', 'it leads nowhere'],
        ['in/folder/loop', 'it leads back to a folder that it is in'],
        ['in/leads-out', 'it leads out of in'],
        ['in/real/loop', 'it leads back to a folder that it is in'],
      ]);
    },
  );

  test('out of the source when --root says that there is more', async () => {
    const found = await readCorpus(await linked(), { sources: ['in'], root: '.', followLinks: true });
    expect(found.ids).toContain('in/leads-out/secret.md');
  });

  test('a link that leads to itself cannot be a source, and says so', async () => {
    const cwd = await folderWith({ 'a.md': 'a' });
    await symlink('loop', join(cwd, 'loop'));
    await expect(readCorpus(cwd, { sources: ['loop'] })).rejects.toThrow(
      /loop is a link that leads back to itself/,
    );
  });

  test('links that lead to each other end', async () => {
    const cwd = await folderWith(
      Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`d${index}/f.md`, 'x'])),
    );
    for (let from = 0; from < 6; from += 1)
      for (let to = 0; to < 6; to += 1) await symlink(`../d${to}`, join(cwd, `d${from}`, `l${to}`));
    const found = await readCorpus(cwd, { followLinks: true });
    expect(found.ids.length).toBeLessThan(500);
    expect(found.problems).toEqual([]);
  });
});

describe('13.17 files that no reader takes', () => {
  test('are counted by ending, most frequent first', async () => {
    const cwd = await folderWith({
      'a.md': 'a',
      'b.HTML': '',
      'c.html': '',
      'd.pdf': '',
      LICENSE: '',
      'e.tar.gz': '',
    });
    const { ignored } = (await readCorpus(cwd)).report;
    expect(ignored.files).toBe(5);
    expect(Object.entries(ignored.byEnding)).toEqual([
      ['.html', 2],
      ['(none)', 1],
      ['.pdf', 1],
      ['.tar.gz', 1],
    ]);
  });

  test('a glob counts what it matches; what another source reads is not ignored', async () => {
    const cwd = await folderWith({ 'a.md': 'a', 'b.html': '', 'sub/c.html': '', 'data.txt': 'd' });
    expect((await readCorpus(cwd, { sources: ['*'] })).report.ignored.byEnding).toEqual({ '.html': 1 });
    const two = await readCorpus(cwd, {
      sources: [
        { path: '.', format: 'markdown' },
        { path: '.', format: 'text' },
      ],
    });
    expect([two.ids, two.report.ignored.byEnding]).toEqual([['a.md', 'data.txt'], { '.html': 2 }]);
  });

  test('a source with none of ours says what is there instead', async () => {
    const cwd = await folderWith({ 'b.html': '', '.x.md': '' });
    await expect(readCorpus(cwd)).rejects.toThrow(
      /holds no file to read.*1 file ignored: \.html 1.*1 by rule \(hidden\)/,
    );
  });
});

describe('13.19 ids of text files from several sources', () => {
  test('are counted from what they have in common, so that README.md in each is two documents', async () => {
    const cwd = await folderWith({ 'd1/README.md': '1', 'd2/README.md': '2', 'd1/sub/x.md': 'x' });
    const found = await readCorpus(cwd, { sources: ['./d1', './d2'] });
    expect([found.ids, found.reasons]).toEqual([['d1/README.md', 'd1/sub/x.md', 'd2/README.md'], []]);
    expect(found.report.idsFrom).toBe('.');
    await mkdir(join(cwd, 'd3'));
    await writeFile(join(cwd, 'd3', 'README.md'), '3');
    expect((await readCorpus(cwd, { sources: ['d1', 'd2/*.md', 'd3/README.md'] })).ids).toEqual([
      ...found.ids,
      'd3/README.md',
    ]);
  });

  test('one source counts from itself; files of one folder, as a shell lists them, from there', async () => {
    const cwd = await folderWith({ 'd1/README.md': '1', 'd1/b.md': 'b' });
    expect((await readCorpus(cwd, { sources: ['d1'] })).ids).toEqual(['README.md', 'b.md']);
    expect((await readCorpus(cwd, { sources: ['d1/README.md', 'd1/b.md'] })).ids).toEqual([
      'README.md',
      'b.md',
    ]);
    expect((await readCorpus(cwd, { sources: ['d1', 'd1/b.md'] })).ids).toEqual(['README.md', 'b.md']);
  });
});
