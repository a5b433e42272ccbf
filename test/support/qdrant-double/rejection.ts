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
