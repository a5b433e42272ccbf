type Environment = Record<string, string>;

/** What programs need to find their files, to write in a person's language and to keep to the time zone. */
const USUAL =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|TMP|TEMP|TERM|NO_COLOR|XDG_[A-Z_]+|SYSTEMROOT|WINDIR|COMSPEC|PATHEXT|APPDATA|LOCALAPPDATA|USERPROFILE)$/i;

/** How a Node or a native library of ours is run. None holds a secret. */
const RUNTIME =
  /^(NODE_ENV|NODE_OPTIONS|NODE_EXTRA_CA_CERTS|NODE_USE_SYSTEM_CA|NODE_USE_ENV_PROXY|SSL_CERT_FILE|SSL_CERT_DIR|UV_THREADPOOL_SIZE|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH|MALLOC_ARENA_MAX)$/;

/** A proxy's URL may hold a password: only programs that reach the network get these. */
const PROXY = /^(HTTP|HTTPS|ALL|NO)_PROXY$/i;

/** What says where a worker finds things; Redis and Qdrant are no business of other children. */
const SERVICES = /^(QDRANT_URL|HF_ENDPOINT|REDIS_TLS_CA_FILE|REDIS_TLS_CERT_FILE)$/;

/** Variables that hold, or name a file with, a secret of embedline's own. */
const SECRETS =
  /^(REDIS_URL|REDIS_PASSWORD_FILE|REDIS_SENTINEL_PASSWORD|REDIS_SENTINEL_PASSWORD_FILE|REDIS_TLS_KEY_FILE|QDRANT_API_KEY|HF_TOKEN|HF_ACCESS_TOKEN|EMBEDLINE_[A-Z_]*(KEY|KEYS|TOKEN|SECRET|PASSWORD|CREDENTIALS)(_FILE)?)$/;

function select(isGiven: (name: string) => boolean): Environment {
  const given = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && isGiven(entry[0]),
  );
  return Object.fromEntries(given);
}

function isPlain(name: string): boolean {
  return USUAL.test(name) || RUNTIME.test(name) || (/^EMBEDLINE_[A-Z_]+$/.test(name) && !SECRETS.test(name));
}

/** For a program of ours that only computes or serves (inference, the private Redis): no secret, and no proxy. */
export function environmentWithoutSecrets(): Environment {
  return select(isPlain);
}

/** For a program of the system that reaches the network: Docker and apt-get. */
export function environmentOfInstallers(): Environment {
  return select((name) => USUAL.test(name) || PROXY.test(name) || /^DOCKER_[A-Z_]+$/.test(name));
}

/** For a worker: embedline's own secrets, and nobody else's. */
export function environmentOfWorkers(): Environment {
  return select((name) => isPlain(name) || PROXY.test(name) || SERVICES.test(name) || SECRETS.test(name));
}

/**
 * For a program that a configuration names: the usual variables, the proxies, and those that the configuration names.
 * @param names variables that the program gets besides; one that is not set is left out
 */
export function environmentOfCommands(names: readonly string[]): Environment {
  return select(
    (name) => names.includes(name) || ((isPlain(name) || PROXY.test(name)) && name !== 'NODE_OPTIONS'),
  );
}

/** The variables with these names alone. */
export function environmentNamed(names: readonly string[]): Environment {
  return select((name) => names.includes(name));
}
