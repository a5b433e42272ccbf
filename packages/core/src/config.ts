import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { INSTRUCTION_SETS, type InstructionSet } from '@embedline/kernel/instruction-set-names';
import { DEFAULT_PREFIX } from './default-prefix.ts';
import { DEFAULT_HUB, type HubOptions } from './embedder/hub/hub-access.ts';
import { EmbedlineError } from './errors.ts';
import { passwordsOf, rememberSecrets } from './redact.ts';
import { readRedisAccess, type RedisAccess } from './redis/access.ts';
import { readSigningKeys } from './signing/read-signing-keys.ts';
import type { SigningKeys } from './signing/signing-keys.ts';
import { NO_STATE_FOLDER, projectFolder, usersStateFolder } from './state/state-location.ts';
import { parseRedisUrl, redisUrlProblem } from './redis/parse-url.ts';

/** Every environment variable that embedline reads, with its meaning; README and the compose file are checked against it. */
export const environmentVariables = {
  REDIS_URL: {
    description:
      'Redis that holds the queue and the runs: redis://, redis+cluster://, redis+sentinel://, with rediss for TLS, or unix://',
    default: 'a private Redis, started for as long as a command needs it',
  },
  REDIS_PASSWORD_FILE: {
    description: 'file with the password for Redis, instead of a password in REDIS_URL',
    default: 'none',
  },
  REDIS_SENTINEL_PASSWORD: {
    description: 'password for the Sentinels; that in REDIS_URL is for the servers',
    default: 'none',
  },
  REDIS_SENTINEL_PASSWORD_FILE: { description: 'file with that password', default: 'none' },
  REDIS_TLS_CA_FILE: {
    description: 'PEM file with the authorities that may sign the certificate of Redis',
    default: 'those that Node knows',
  },
  REDIS_TLS_CERT_FILE: { description: 'PEM file with the client certificate for Redis', default: 'none' },
  REDIS_TLS_KEY_FILE: { description: 'PEM file with the key of that certificate', default: 'none' },
  QDRANT_URL: { description: 'Qdrant that holds the vectors', default: 'SQLite files in EMBEDLINE_HOME' },
  QDRANT_API_KEY: { description: 'API key of that Qdrant', default: 'none' },
  EMBEDLINE_HOME: {
    description: 'folder of the SQLite store, of the private Redis and of what is measured and fetched',
    default: 'one for each project, below ~/.local/state/embedline',
  },
  XDG_STATE_HOME: {
    description: 'where that default folder is, as embedline/projects/NAME-HASH',
    default: '~/.local/state (macOS: ~/Library/Application Support; Windows: %LOCALAPPDATA%)',
  },
  EMBEDLINE_MODELS: {
    description: 'folder in which models are looked for',
    default: 'models/ of the project',
  },
  EMBEDLINE_ALLOW_REMOTE_MODELS: {
    description: '1 lets a worker fetch from the hub a model that a run names and its models folder lacks',
    default: '0',
  },
  HF_ENDPOINT: {
    description: 'hub that models are fetched from, e.g. a mirror',
    default: 'https://huggingface.co',
  },
  HF_TOKEN: { description: 'token for hub models that ask for one', default: 'none' },
  EMBEDLINE_KERNEL: {
    description: `instruction set that the kernel is to use, for tests: ${INSTRUCTION_SETS.join(', ')}`,
    default: 'the fastest that the machine can run',
  },
  EMBEDLINE_PREFIX: { description: 'prefix of all keys in Redis; keep the braces', default: DEFAULT_PREFIX },
  EMBEDLINE_LOG_LEVEL: { description: 'fatal, error, warn, info, debug or trace', default: 'info' },
  EMBEDLINE_SIGNING_KEY: {
    description:
      'key that Redis never sees, 32 bytes or more in hex or base64: what is not signed with it is not acted on; several with commas, the first signs',
    default: 'none; a private Redis has one of its own',
  },
  EMBEDLINE_SIGNING_KEY_FILE: { description: 'file with that key', default: 'none' },
  EMBEDLINE_ENCRYPT_TEXTS: {
    description: '1 encrypts the texts in Redis with the same key',
    default: '0',
  },
  EMBEDLINE_NO_INSTALL: {
    description:
      '1 forbids `ingest`, `serve` and workers to install redis-server with apt-get, or to fetch its Docker image',
    default: '0',
  },
  NO_COLOR: { description: 'anything: no colours', default: 'colours on a terminal' },
} as const satisfies Record<string, { description: string; default: string }>;

const flag = z
  .enum(['', '0', '1', 'true', 'false'])
  .default('0')
  .transform((value) => value === '1' || value === 'true');
const url = (protocols: readonly string[]) => {
  const error = `expected a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`;
  return z
    .string()
    .refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), { error })
    .optional();
};

function hasCredentials(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { username, password } = new URL(value);
  return username !== '' || password !== '';
}

const schema = z.object({
  REDIS_URL: z
    .string()
    .superRefine((value, context) => {
      const problem = redisUrlProblem(value);
      if (problem !== null) context.addIssue(problem);
    })
    .optional(),
  QDRANT_URL: url(['http:', 'https:']).refine((value) => value === undefined || !hasCredentials(value), {
    error: 'Qdrant knows no user and password: put its API key into QDRANT_API_KEY',
  }),
  QDRANT_API_KEY: z.string().min(1).optional(),
  EMBEDLINE_HOME: z.string().min(1).optional(),
  EMBEDLINE_MODELS: z
    .string()
    .min(1)
    .default(fileURLToPath(new URL('../../../models', import.meta.url))),
  EMBEDLINE_ALLOW_REMOTE_MODELS: flag,
  HF_ENDPOINT: url(['http:', 'https:']).refine((value) => value === undefined || !hasCredentials(value), {
    error: 'put the token of the hub into HF_TOKEN, not into its URL',
  }),
  HF_TOKEN: z.string().min(1).optional(),
  EMBEDLINE_KERNEL: z.enum(INSTRUCTION_SETS).optional(),
  EMBEDLINE_PREFIX: z
    .string()
    // Redis hashes what stands between the first { and the first } behind it, and the whole key when that is nothing.
    .regex(/^[^{]*\{[^{}]+\}/, 'expected a prefix with a hash tag, e.g. {embedline}')
    .default(DEFAULT_PREFIX),
  EMBEDLINE_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
  EMBEDLINE_NO_INSTALL: flag,
  EMBEDLINE_ENCRYPT_TEXTS: flag,
});

/** What the environment says, checked. Absolute paths; null for what is not set. */
export interface Config {
  readonly redisUrl: string | null;
  readonly redisAccess: RedisAccess;
  readonly qdrantUrl: string | null;
  readonly qdrantApiKey: string | null;
  /** Folder of state on this machine: EMBEDLINE_HOME, else that of the project below the user's own. */
  readonly dataDirectory: string;
  /** What the default of the folder of state goes by: see projectFolder. */
  readonly projectDirectory: string;
  /** True when EMBEDLINE_HOME names the folder of state. */
  readonly isHomeGiven: boolean;
  readonly modelsDirectory: string;
  readonly allowRemoteModels: boolean;
  /** Where hub models are fetched from. */
  readonly hub: HubOptions;
  /** Instruction set that the kernel is to use; null: the fastest. */
  readonly kernelInstructionSet: InstructionSet | null;
  readonly prefix: string;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';
  readonly noInstall: boolean;
  /** Null for none. */
  readonly signingKeys: SigningKeys | null;
  /** Whether texts in Redis are encrypted. */
  readonly encryptsTexts: boolean;
}

/**
 * The only reader of the environment. Empty variables count as not set, as compose files write them. Secrets that it
 * finds are kept out of every message from then on.
 * @param configFile the configuration file that a command names: its folder is the project then
 * @throws EmbedlineError CONFIG_INVALID that names every wrong variable at once, never its value
 */
export function loadConfig(
  env: NodeJS.ProcessEnv = process.env,
  cwd: string = process.cwd(),
  configFile?: string,
): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  rememberSecrets([
    ...passwordsOf(given['REDIS_URL']),
    ...passwordsOf(given['QDRANT_URL']),
    ...passwordsOf(given['HF_ENDPOINT']),
  ]);
  const secrets = ['QDRANT_API_KEY', 'REDIS_SENTINEL_PASSWORD', 'HF_TOKEN', 'HF_ACCESS_TOKEN'];
  rememberSecrets(secrets.map((name) => given[name]));
  const parsed = schema.safeParse(given);
  const issues = parsed.success ? [] : parsed.error.issues;
  const redis = readRedisAccess(given, redisAddressOf(given['REDIS_URL']));
  const encryptsTexts = parsed.data?.EMBEDLINE_ENCRYPT_TEXTS === true;
  const signing = readSigningKeys(given, encryptsTexts);
  const problems = [
    ...issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
    ...redis.problems,
    ...signing.problems,
    ...(encryptsTexts &&
    given['REDIS_URL'] !== undefined &&
    signing.keys === null &&
    signing.problems.length === 0
      ? ['EMBEDLINE_ENCRYPT_TEXTS: needs a key, in EMBEDLINE_SIGNING_KEY or EMBEDLINE_SIGNING_KEY_FILE']
      : []),
  ];
  if (!parsed.success || problems.length > 0) {
    throw new EmbedlineError('CONFIG_INVALID', `The environment is not usable: ${problems.join('; ')}.`);
  }
  const value = parsed.data;
  const projectDirectory = projectFolder(cwd, configFile);
  return Object.freeze({
    redisUrl: value.REDIS_URL ?? null,
    redisAccess: redis.access,
    qdrantUrl: value.QDRANT_URL ?? null,
    qdrantApiKey: value.QDRANT_API_KEY ?? null,
    dataDirectory:
      value.EMBEDLINE_HOME === undefined
        ? (usersStateFolder(given, projectDirectory) ?? NO_STATE_FOLDER)
        : resolve(cwd, value.EMBEDLINE_HOME),
    projectDirectory,
    isHomeGiven: value.EMBEDLINE_HOME !== undefined,
    modelsDirectory: resolve(cwd, value.EMBEDLINE_MODELS),
    allowRemoteModels: value.EMBEDLINE_ALLOW_REMOTE_MODELS,
    hub: Object.freeze({
      endpoint: (value.HF_ENDPOINT ?? DEFAULT_HUB.endpoint).replace(/(?<!\/)\/+$/, ''),
      token: value.HF_TOKEN ?? null,
    }),
    kernelInstructionSet: value.EMBEDLINE_KERNEL ?? null,
    prefix: value.EMBEDLINE_PREFIX,
    logLevel: value.EMBEDLINE_LOG_LEVEL,
    noInstall: value.EMBEDLINE_NO_INSTALL,
    signingKeys: signing.keys,
    encryptsTexts,
  });
}

function redisAddressOf(url: string | undefined) {
  if (url === undefined) return 'none';
  return redisUrlProblem(url) === null ? parseRedisUrl(url) : 'unusable';
}
