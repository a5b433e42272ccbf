/** Fields of one record, by name; a null-prototype object or the result of JSON.parse. */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * The value of a field, or of a path of fields: `author.name` is the field of that name if there is one, else field
 * `name` of field `author`. A number in a path is a place in a list; a name behind a list is looked for in each element.
 * @returns undefined when there is nothing
 */
export function lookUp(fields: Fields, path: string): unknown {
  if (Object.hasOwn(fields, path)) return fields[path];
  if (!path.includes('.')) return undefined;
  return follow(fields, path.split('.'));
}

function follow(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return value;
  if (typeof value !== 'object' || value === null) return undefined;
  if (Object.hasOwn(value, name)) return follow((value as Fields)[name], rest);
  if (!Array.isArray(value)) return undefined;
  const found = value
    .map((element: unknown) => follow(element, [name, ...rest]))
    .filter((one) => one !== undefined);
  return found.length === 0 ? undefined : found.flat();
}

/** The fields of a record in which a path may begin: itself, and the first of its names. */
export function firstNames(path: string): string[] {
  const dot = path.indexOf('.');
  return dot === -1 ? [path] : [path, path.slice(0, dot)];
}

const NAMES_SHOWN = 10;

/** The fields of a record that hold something, for a message about one that it lacks: `; it has "key", "body"`. */
export function namesOf(fields: Fields): string {
  const names = Object.keys(fields).filter((name) => fields[name] !== null && fields[name] !== '');
  if (names.length === 0) return '';
  const shown = names.slice(0, NAMES_SHOWN).map((name) => JSON.stringify(name.slice(0, 40).toWellFormed()));
  return `; it has ${shown.join(', ')}${names.length > NAMES_SHOWN ? ', ...' : ''}`;
}

/** What a value is, for a message. */
export function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
