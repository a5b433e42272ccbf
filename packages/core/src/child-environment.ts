/** Variables that hold, or name a file with, a secret of embedline's own. */
const OWN_SECRETS = new Set([
  'REDIS_URL',
  'REDIS_PASSWORD_FILE',
  'REDIS_SENTINEL_PASSWORD',
  'REDIS_SENTINEL_PASSWORD_FILE',
  'REDIS_TLS_KEY_FILE',
  'QDRANT_API_KEY',
  'HF_TOKEN',
  'HF_ACCESS_TOKEN',
]);
const SECRET_NAME = /token|secret|passw|api_?key|access_key|credential|private_key/i;

type Environment = Record<string, string>;

function select(isGiven: (name: string) => boolean): Environment {
  const given = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && isGiven(entry[0]),
  );
  return Object.fromEntries(given);
}

/** For a program that computes or serves, and reaches nothing that asks for a secret: nothing that may be one. */
export function environmentWithoutSecrets(): Environment {
  return select((name) => !OWN_SECRETS.has(name) && !SECRET_NAME.test(name));
}

/** For a worker: embedline's own secrets, and nobody else's. */
export function environmentOfWorkers(): Environment {
  return select((name) => OWN_SECRETS.has(name) || !SECRET_NAME.test(name));
}

/** For a program that a pipeline reads from: its own secrets, and none of embedline's. */
export function environmentOfCommands(): Environment {
  return select((name) => !OWN_SECRETS.has(name));
}

/** What programs need to find their files and to write in a person's language. */
const USUAL = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_[A-Z]+|TZ|TMPDIR|TMP|TEMP|SYSTEMROOT)$/;

/** For a program that is told of failures: the usual variables, and those that the configuration names. */
export function environmentOfHook(names: readonly string[]): Environment {
  return select((name) => USUAL.test(name) || names.includes(name));
}
