import { temporaryDirectory } from './temporary.ts';
import { unpackReleaseInto, type Release } from './unpack-release.ts';

/** Unpacks the sources of a release beside this one, with the libraries of this one. They go with the test. */
export async function unpackRelease(version: string): Promise<Release> {
  return unpackReleaseInto(await temporaryDirectory(), version);
}
