/** An answer that is not 200, in Qdrant's form. */
export class Rejection extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const wrongInput = (message: string, status = 400) => new Rejection(status, `Wrong input: ${message}`);
export const badBody = (message: string) => new Rejection(400, `Format error in JSON body: ${message}`);
export const notFound = (collection: string) =>
  new Rejection(404, `Not found: Collection \`${collection}\` doesn't exist!`);

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whole numbers are for the peers of the benchmark, which read none back; the adapter has UUIDs alone. */
export function checkId(id: unknown): string {
  if (Number.isSafeInteger(id) && Number(id) >= 0) return String(id);
  if (typeof id === 'string' && UUID.test(id)) return id.toLowerCase();
  throw badBody(
    `value ${String(id)} is not a valid point ID, valid values are either an unsigned integer or a UUID`,
  );
}
