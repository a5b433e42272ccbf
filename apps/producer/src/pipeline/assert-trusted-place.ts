import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EmbedlineError } from '@embedline/core';

/** Windows has no owner and mode that Node could see. */
const OWN_UID = process.getuid?.() ?? null;
const GROUP_WRITABLE = 0o020;
const WORLD_WRITABLE = 0o002;
const STICKY = 0o1000;

/**
 * A configuration file decides which programs are run. One that nobody named, but that lies in the working directory, counts
 * only where nobody else can have put it: file and folder belong to this user or to root, and no other user may write them.
 * @throws EmbedlineError CONFIG_UNTRUSTED
 */
export async function assertTrustedPlace(path: string): Promise<void> {
  if (OWN_UID === null) return;
  for (const place of [dirname(path), path]) {
    const stats = await stat(place);
    const { uid, gid, mode } = stats;
    if (uid !== OWN_UID && uid !== 0)
      throw untrusted(path, `${place} belongs to another user (${uid}; you are ${OWN_UID})`);
    // A group of the user's own has the user's number.
    const byGroup = (mode & GROUP_WRITABLE) !== 0 && gid !== OWN_UID;
    const byAll = (mode & WORLD_WRITABLE) !== 0;
    // In a folder such as /tmp, others may add files, but not replace this one.
    const isSticky = stats.isDirectory() && (mode & STICKY) !== 0;
    if ((byGroup || byAll) && !isSticky)
      throw untrusted(path, `${place} may be written by other users (mode ${(mode & 0o7777).toString(8)})`);
  }
}

function untrusted(path: string, why: string): EmbedlineError {
  return new EmbedlineError(
    'CONFIG_UNTRUSTED',
    `The configuration file ${path} was found here and was not read: ${why}, and it may make embedline run programs. ` +
      `If you trust it, name it: --config ${path}`,
  );
}
