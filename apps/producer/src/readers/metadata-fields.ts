import type { MetadataField, MetadataType } from './read-item.ts';

/** These would reach into an object's prototype in careless programs that read the payload. */
const FORBIDDEN_NAMES = new Set(['__proto__', 'constructor', 'prototype']);
const TYPES: readonly string[] = ['text', 'number', 'boolean', 'date'] satisfies MetadataType[];

/**
 * Reads `year:number,president=name,author.name`: field `year` as numbers, field `name` as `president`, and field `name`
 * within field `author`.
 * @throws RangeError with the reason
 */
export function parseMetadataFields(list: string): MetadataField[] {
  const fields = list
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseField);
  const twice = fields.find(({ name }, index) => fields.findIndex((field) => field.name === name) !== index);
  if (twice === undefined) return fields;
  throw new RangeError(
    `${JSON.stringify(twice.name)} is there twice: each field needs a name of its own (NAME=FIELD)`,
  );
}

function parseField(part: string): MetadataField {
  const colon = part.lastIndexOf(':');
  const type = colon === -1 ? '' : part.slice(colon + 1).trim();
  const isTyped = TYPES.includes(type);
  // A name may hold a colon (dc:title); what looks like a type that there is not is a mistake.
  if (!isTyped && ['string', 'int', 'integer', 'float', 'bool', 'datetime', 'keyword'].includes(type))
    throw new RangeError(`there is no type ${JSON.stringify(type)} (${part}): known are ${TYPES.join(', ')}`);
  const named = isTyped ? part.slice(0, colon) : part;
  const [name = '', from = name] = named.split('=', 2).map((half) => half.trim());
  if (name === '' || from === '')
    throw new RangeError(`expected NAME, NAME=FIELD or NAME:TYPE, got ${JSON.stringify(part)}`);
  if (/["\\]/.test(name))
    throw new RangeError(
      `the name ${JSON.stringify(name)} holds a double quote or a backslash, which no filter could name on Qdrant: say NAME=FIELD`,
    );
  if (FORBIDDEN_NAMES.has(name))
    throw new RangeError(`${JSON.stringify(name)} cannot be the name of a metadata field`);
  return isTyped ? { name, from, valueType: type as MetadataType } : { name, from };
}
