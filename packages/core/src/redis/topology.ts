import { Cluster } from 'ioredis';
import { isEmbedlineError, messageOf, type EmbedlineError } from '../errors.ts';
import { ok, problem, warning, type Finding } from '../finding.ts';
import type { RedisAccess } from './access.ts';
import { formatHostPort, type HostPort, type RedisAddress, type SentinelAddress } from './address.ts';
import type { RedisConnection } from './connection.ts';
import { askSentinel, fieldsOfEach } from './sentinel.ts';
import { ownerOf, placeOf } from './slot-owner.ts';

export interface TopologyOptions {
  readonly redis: RedisConnection;
  readonly address: RedisAddress;
  readonly access: RedisAccess;
  readonly prefix: string;
}

const CHECK = 'Redis topology';
const MAX_SHOWN = 10;

/** Which processes stand behind a cluster or behind Sentinels, and what happens when one dies. Nothing for one server. */
export async function examineTopology(options: TopologyOptions): Promise<Finding[]> {
  const { address } = options;
  if (address.kind === 'cluster') return [await examineCluster(options)];
  if (address.kind === 'sentinel') return examineSentinels(address, options);
  return [];
}

async function examineCluster({ redis, prefix }: TopologyOptions): Promise<Finding> {
  if (!(redis instanceof Cluster)) throw new Error('A cluster address without a cluster. This is a bug.');
  // The node itself knows first who follows it.
  const node = await ownerOf(redis, prefix);
  const shards = shardsOf(await node.cluster('SLOTS'));
  const primaries = new Set(shards.map(({ primary }) => formatHostPort(primary)));
  const replicas = new Set(shards.flatMap((shard) => shard.replicas.map(formatHostPort)));
  const holder = formatHostPort(placeOf(node));
  const own = shards.find(({ primary }) => formatHostPort(primary) === holder)?.replicas ?? [];
  const found =
    `cluster of ${primaries.size} primaries (${listed([...primaries])}) and ${replicas.size} replicas; ` +
    `${holder} holds the keys of embedline`;
  if (own.length > 0) return ok(CHECK, `${found}, followed by ${listed(own.map(formatHostPort))}`);
  return warning(
    CHECK,
    `${found}, and no replica follows it: without it all work stands still.`,
    `Add one: redis-cli --cluster add-node <host:port> ${holder} --cluster-slave`,
  );
}

interface Shard {
  readonly primary: HostPort;
  readonly replicas: readonly HostPort[];
}

/** From CLUSTER SLOTS: first slot, last slot, primary, replicas; each of them host, port, id, ... */
function shardsOf(answer: unknown): Shard[] {
  if (!Array.isArray(answer)) return [];
  return answer.flatMap((range: unknown) => {
    if (!Array.isArray(range)) return [];
    const [primary, ...replicas] = range
      .slice(2)
      .filter(Array.isArray)
      .map((node: unknown[]) => ({ host: String(node[0]), port: Number(node[1]) }));
    return primary === undefined ? [] : [{ primary, replicas }];
  });
}

async function examineSentinels(address: SentinelAddress, options: TopologyOptions): Promise<Finding[]> {
  const { sentinels, primaryName } = address;
  const answers = await Promise.all(
    sentinels.map((sentinel) => view(sentinel, address, options).catch(asFailure)),
  );
  const views = answers.filter((answer): answer is View => !isEmbedlineError(answer));
  const silent = answers.filter((answer) => isEmbedlineError(answer));
  const [first] = views;
  if (first === undefined) return [problem(CHECK, messageOf(silent[0]), 'See above.')];
  const replicas = first.replicas.length === 0 ? 'no replica' : listed(first.replicas);
  const found = `${views.length} of ${sentinels.length} Sentinels answer; primary ${primaryName} is ${first.primary}, followed by ${replicas}`;
  return [
    first.replicas.length > 0
      ? ok(CHECK, found)
      : warning(CHECK, `${found}: without it all work stands still.`, 'Add a server that is replicaof it.'),
    ...silent.map((error) => warning('Redis Sentinel', messageOf(error), 'See that it runs.')),
    ...(first.quorum === null
      ? []
      : [warning('Redis Sentinel', `No failover is possible now: ${first.quorum}`, 'Start more Sentinels.')]),
  ];
}

function asFailure(error: unknown): EmbedlineError {
  if (isEmbedlineError(error)) return error;
  throw error;
}

interface View {
  readonly primary: string;
  readonly replicas: readonly string[];
  /** Why no failover is possible; null when one is. */
  readonly quorum: string | null;
}

function view(sentinel: HostPort, address: SentinelAddress, { access }: TopologyOptions): Promise<View> {
  return askSentinel(sentinel, address, { access }, async (redis) => {
    const { primaryName: name } = address;
    const primary = await redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name);
    const replicas = fieldsOfEach(await redis.call('SENTINEL', 'REPLICAS', name));
    const quorum = await redis.call('SENTINEL', 'CKQUORUM', name).then(() => null, messageOf);
    const place = (host: unknown, port: unknown) =>
      formatHostPort({ host: String(host), port: Number(port) });
    return {
      primary: Array.isArray(primary) ? place(primary[0], primary[1]) : 'not known',
      replicas: replicas
        .filter((fields) => !/down|disconnected/.test(fields.get('flags') ?? ''))
        .map((fields) => place(fields.get('ip'), fields.get('port'))),
      quorum,
    };
  });
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MAX_SHOWN).join(', ');
  return names.length <= MAX_SHOWN ? shown : `${shown} and ${names.length - MAX_SHOWN} more`;
}
