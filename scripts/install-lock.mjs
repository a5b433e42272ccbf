// One install at a time in this folder. The lock is a file that names its owner, so that one whose owner is dead is taken over
// at once, and whoever waits can be told for whom. Plain JavaScript without dependencies: nothing is installed yet.
import { execFileSync } from 'node:child_process';
import {
  linkSync,
  lstatSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** How often an owner shows that it lives, for those who cannot see its process: in another container, on another machine. */
const HEARTBEAT_MS = 3_000;
/** Silent for this long while it was watched: such an owner is dead. */
const SILENT_MS = 15_000;
/** A lock that names nobody is left by an older version, or by a disk that was full. */
const NAMELESS_MS = 10_000;
const TELL_EVERY_MS = 30_000;
const POLL_MS = 200;

/**
 * @typedef {object} Owner
 * @property {number} pid
 * @property {string} space where this process ID means something; see {@link pidSpace}
 * @property {string | null} started tells the process from a later one with the same ID
 * @property {string} host
 * @property {string} user
 * @property {string} since ISO 8601
 * @property {{ pid: number, started: string | null } | null} npm the leader of the process group that installs
 */

/**
 * Waits for the lock and takes it.
 * @param {string} path
 * @param {{ tell: (message: string) => void, isDone?: () => boolean, silentMs?: number, namelessMs?: number }} options
 *   `isDone` ends the waiting when somebody else has done what the lock is for
 * @returns {Promise<{ setNpm(pid: number): void, release(): void } | null>} null when `isDone`
 */
export async function takeInstallLock(path, options) {
  const { tell, isDone = () => false, silentMs = SILENT_MS, namelessMs = NAMELESS_MS } = options;
  const owner = describeSelf();
  let seen = { text: '', mtimeMs: 0, atMs: 0 };
  let toldAtMs = -Infinity;
  for (;;) {
    if (create(path, owner)) {
      // Somebody who judged the lock before may have moved this one away, and puts it back.
      await delay(50);
      if (isOwn(path, owner)) return hold(path, owner);
      continue;
    }
    const found = look(path);
    if (found === null) continue;
    if (found.text !== seen.text || found.mtimeMs !== seen.mtimeMs)
      seen = { ...found, atMs: performance.now() };
    const silent = performance.now() - seen.atMs;
    const other = parseOwner(found.text);
    if (isDead(other, silent, { silentMs, namelessMs })) {
      tell(`Taking over from an install that did not end: ${describe(other)}.`);
      if (other !== null) endNpm(other);
      moveAway(path, found.text);
      continue;
    }
    if (performance.now() - toldAtMs >= TELL_EVERY_MS) {
      tell(`Waiting for another install in this folder: ${describe(other)} ...`);
      toldAtMs = performance.now();
    }
    await delay(POLL_MS);
    if (isDone()) return null;
  }
}

/** @returns {Owner} */
function describeSelf() {
  const since = new Date().toISOString();
  return {
    pid: process.pid,
    space: pidSpace(),
    started: startOf(process.pid),
    host: hostname(),
    user: userName(),
    since,
    npm: null,
  };
}

function userName() {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? '?');
  }
}

/** Processes of the same boot and the same PID namespace see each other. */
function pidSpace() {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

/** When a process was started; null when that cannot be told. */
function startOf(pid) {
  try {
    // The name before it may hold spaces and parentheses.
    const [, rest = ''] = /\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return rest.split(' ')[19] ?? null;
  } catch {
    try {
      const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], options).trim() || null;
    } catch {
      return null;
    }
  }
}

function isAlive({ pid, started }) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, and is another user's.
    if (error.code !== 'EPERM') return false;
  }
  const now = startOf(pid);
  return started === null || now === null || now === started;
}

/** @param {Owner | null} owner */
function isDead(owner, silentForMs, { silentMs, namelessMs }) {
  if (owner === null) return silentForMs >= namelessMs;
  return owner.space === pidSpace() ? !isAlive(owner) : silentForMs >= silentMs;
}

/** npm outlives an owner that was killed, and would go on writing. */
function endNpm({ space, npm }) {
  if (npm === null || space !== pidSpace() || !isAlive(npm)) return;
  try {
    process.kill(-npm.pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}

/** Appears with its content, or not at all. */
function create(path, owner) {
  const draft = `${path}.${process.pid}`;
  try {
    writeFileSync(draft, JSON.stringify(owner));
    try {
      linkSync(draft, path);
      return true;
    } catch (error) {
      if (error.code === 'EEXIST') return false;
      // A file system without hard links.
      if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(error.code)) throw error;
      writeFileSync(path, JSON.stringify(owner), { flag: 'wx' });
      return true;
    }
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** A directory is the lock of a version before 0.2. */
function look(path) {
  try {
    const stats = lstatSync(path);
    return { text: stats.isDirectory() ? '' : readFileSync(path, 'utf8'), mtimeMs: stats.mtimeMs };
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

/** @returns {Owner | null} */
function parseOwner(text) {
  try {
    const owner = JSON.parse(text);
    const isPid = (value) => Number.isInteger(value) && value > 0;
    if (!isPid(owner?.pid) || typeof owner.space !== 'string') return null;
    const npm = isPid(owner.npm?.pid) ? owner.npm : null;
    return { ...owner, npm, started: typeof owner.started === 'string' ? owner.started : null };
  } catch {
    return null;
  }
}

function isOwn(path, { pid, space, since }) {
  const owner = parseOwner(look(path)?.text ?? '');
  return owner?.pid === pid && owner.space === space && owner.since === since;
}

/** Moves it away first: one that has been renewed meanwhile goes back. */
function moveAway(path, expected) {
  const away = `${path}.${process.pid}.dead`;
  try {
    renameSync(path, away);
    if (look(away)?.text !== expected) linkSync(away, path);
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes(error.code)) throw error;
  } finally {
    rmSync(away, { recursive: true, force: true });
  }
}

function hold(path, owner) {
  const heartbeat = setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // Somebody has removed it by hand.
    }
  }, HEARTBEAT_MS);
  return {
    setNpm: (pid) => {
      const draft = `${path}.${process.pid}`;
      writeFileSync(draft, JSON.stringify({ ...owner, npm: { pid, started: startOf(pid) } }));
      renameSync(draft, path);
    },
    release: () => {
      clearInterval(heartbeat);
      if (isOwn(path, owner)) rmSync(path, { force: true });
    },
  };
}

/** @param {Owner | null} owner */
function describe(owner) {
  if (owner === null) return 'one that left no name';
  // eslint-disable-next-line no-control-regex
  const plain = (text) =>
    String(text)
      .replaceAll(/[^\x20-\x7e]/g, '?')
      .slice(0, 100);
  const elsewhere = owner.space === pidSpace() ? '' : ` on ${plain(owner.host)}`;
  return `process ${owner.pid} of ${plain(owner.user)}${elsewhere}, since ${plain(owner.since)}`;
}
