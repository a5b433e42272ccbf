import { readFile } from 'node:fs/promises';

/** The rules of the Redis user that SECURITY.md asks for, as it writes them. */
export async function documentedAclRules(): Promise<string> {
  const text = await readFile(new URL('../../SECURITY.md', import.meta.url), 'utf8');
  const rules = /^ACL SETUSER embedline on >PASSWORD (.+)$/m.exec(text)?.[1];
  if (rules === undefined) throw new Error('SECURITY.md names no rules for the Redis user.');
  return rules;
}

/** What it takes beside them on a cluster, as SECURITY.md writes it. */
export async function documentedClusterRules(): Promise<string[]> {
  const text = await readFile(new URL('../../SECURITY.md', import.meta.url), 'utf8');
  const rules = /On a Redis Cluster, add `([^`]+)`/.exec(text)?.[1];
  if (rules === undefined) throw new Error('SECURITY.md names no rules for a cluster.');
  return rules.split(' ');
}

/** The same for another prefix and password, as arguments of ACL SETUSER. */
export async function aclRules(prefix: string, password: string): Promise<string[]> {
  const rules = await documentedAclRules();
  return ['embedline', 'on', `>${password}`, ...rules.replaceAll('{embedline}', prefix).split(' ')];
}

export type Role = 'producer' | 'worker' | 'viewer';

/** The users of deploy/redis/users.acl for another prefix, as arguments of ACL SETUSER. The password of `worker` is `worker-password`. */
export async function roleRules(prefix: string): Promise<string[][]> {
  const text = await readFile(new URL('../../deploy/redis/users.acl', import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => line.startsWith('user embedline-'));
  return lines.map((line) =>
    line
      .replaceAll('{embedline}', prefix)
      .replace(/>([A-Z]+)_PASSWORD/, (_, role: string) => `>${role.toLowerCase()}-password`)
      .split(' ')
      .slice(1),
  );
}
