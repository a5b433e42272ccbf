import { full } from 'acorn-walk';
import type { CallExpression, Node } from 'acorn';
import { expect, test } from 'vitest';
import { parseSources } from '../support/parse-sources.ts';

/** Called with a list of any length, these exhaust the stack: an argument is a place on it. */
const VARIADIC = new Set([
  'push',
  'unshift',
  'splice',
  'min',
  'max',
  'hypot',
  'fromCharCode',
  'fromCodePoint',
]);

function calledName({ callee }: CallExpression): string {
  return callee.type === 'MemberExpression' && callee.property.type === 'Identifier'
    ? callee.property.name
    : '';
}

test('no list of unknown length is spread into the arguments of a call', async () => {
  const offenders: string[] = [];
  for (const { file, text, program } of await parseSources()) {
    full(program, (node: Node) => {
      if (node.type !== 'CallExpression') return;
      const call = node as CallExpression;
      const spreads = call.arguments.some(({ type }) => type === 'SpreadElement');
      if (spreads && VARIADIC.has(calledName(call)))
        offenders.push(`${file}: ${text.slice(node.start, node.end)}`);
    });
  }
  expect(offenders).toEqual([]);
});
