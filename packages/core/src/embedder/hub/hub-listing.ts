import { z } from 'zod';
import { EmbedlineError, messageOf } from '../../errors.ts';
import type { HubAccess } from './hub-access.ts';
import { revisionSchema } from '../model-id.ts';

const fileSchema = z.looseObject({
  type: z.string(),
  path: z.string().max(1000),
  size: z.int().min(0),
  /** SHA-1 of the file as a Git blob. */
  oid: z.string().regex(/^[0-9a-f]{40}$/),
  /** Of a large file, whose blob in Git is only a pointer. */
  lfs: z.looseObject({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().min(0) }).nullish(),
});
const pageSchema = z.array(fileSchema);

/** A file of a hub repository at one commit. */
export interface HubFile {
  readonly size: number;
  /** What its bytes must come to: SHA-256, or SHA-1 as Git has it. */
  readonly digest: { readonly algorithm: 'sha256' | 'git-sha1'; readonly hex: string };
}

export const hubFilesSchema = z.record(
  z.string(),
  z.object({
    size: z.int().min(0),
    digest: z.object({
      algorithm: z.enum(['sha256', 'git-sha1']),
      hex: z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/),
    }),
  }),
);

export type HubFiles = Readonly<Record<string, HubFile>>;

const MAX_PAGES = 20;

/**
 * Asks the hub for its own list of the files of a commit.
 * @throws EmbedlineError MODEL_NOT_FOUND when the hub cannot be reached or has no such model or commit
 */
export async function listHubFiles(
  { id, revision }: { readonly id: string; readonly revision: string },
  hub: HubAccess,
): Promise<HubFiles> {
  const commit = revisionSchema.parse(revision);
  const files: Record<string, HubFile> = Object.create(null) as Record<string, HubFile>;
  let url: string | null = `${hub.endpoint}/api/models/${id}/tree/${commit}?recursive=true`;
  for (let page = 0; url !== null; page += 1) {
    if (page >= MAX_PAGES) throw failed(id, commit, 'it has too many files');
    const response: Response = await hub.get(url).catch((cause: unknown) => {
      throw failed(id, commit, messageOf(cause), cause);
    });
    for (const { type, path, size, oid, lfs } of await parse(response, id, commit)) {
      if (type !== 'file' || !isSafe(path)) continue;
      const digest =
        lfs === undefined || lfs === null
          ? ({ algorithm: 'git-sha1', hex: oid } as const)
          : ({ algorithm: 'sha256', hex: lfs.oid } as const);
      files[path] = { size: lfs?.size ?? size, digest };
    }
    url = nextPage(response, hub.endpoint);
  }
  return files;
}

async function parse(response: Response, id: string, commit: string) {
  try {
    return pageSchema.parse(await response.json());
  } catch (cause) {
    throw failed(id, commit, 'its answer is not a list of files', cause);
  }
}

/** Names that stay within the folder they are written to. */
function isSafe(path: string): boolean {
  return /^[^/\\\0]+(?:\/[^/\\\0]+)*$/.test(path) && !path.split('/').some((part) => /^\.+$/.test(part));
}

function nextPage(response: Response, endpoint: string): string | null {
  const url = /<([^<>]+)>;\s*rel="next"/.exec(response.headers.get('link') ?? '')?.[1];
  // A list that goes on elsewhere is not the hub's.
  return url !== undefined && new URL(url).origin === new URL(endpoint).origin ? url : null;
}

function failed(id: string, commit: string, reason: string, cause?: unknown): EmbedlineError {
  return new EmbedlineError(
    'MODEL_NOT_FOUND',
    `The hub did not list the files of model ${JSON.stringify(id)} (commit ${commit}): ${reason}. Check the name, the commit and the ` +
      `network (HF_TOKEN for a model that asks for one), or put the model's folder into your models folder.`,
    { cause },
  );
}
