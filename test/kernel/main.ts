// `npm run test:kernel [-- CASES]`: the kernel outside Node. Needs g++ for the sanitizers; clang 19, the cross compiler for 64-bit
// Arm and qemu-user for other processors. What is not installed is left out and said.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KERNEL_TARGETS } from '../../scripts/kernel-targets.ts';
import { randomWeights, SMALL } from '../support/kernel-model.ts';

const sources = fileURLToPath(new URL('../../packages/kernel/native', import.meta.url));
const driverSource = fileURLToPath(new URL('driver.cpp', import.meta.url));
const FLOATS = '-std=c++17 -w -fno-strict-aliasing -ffp-contract=off -fno-math-errno';
const SANITIZED = '-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all';
const ENGINES = ['plain', 'avx2', 'avx-vnni', 'avx512-vnni', 'amx-int8', 'neon-dotprod'];
const HASHED_BATCHES = '20';
const cases = process.argv[2] ?? '10000';

const folder = mkdtempSync(join(tmpdir(), 'embedline-kernel-test-'));
try {
  const weights = join(folder, 'weights.embk');
  writeFileSync(weights, randomWeights({ ...SMALL, layers: 1, hidden: 64, heads: 2, intermediate: 128 }));
  const hashes = new Set<string>();
  if (installed('g++')) {
    const driver = compile('linux-x64.node', 'g++', SANITIZED, 'g++', '-fsanitize=address,undefined');
    print(`sanitizers: ${execFileSync(driver, ['fuzz', weights, cases], { encoding: 'utf8' })}`);
    for (const engine of ENGINES.slice(0, 5)) hashes.add(hash('this machine', [driver], weights, engine));
  } else print('sanitizers: left out, g++ is not installed\n');
  if (installed('clang++-19') && installed('qemu-x86_64')) {
    const driver = compile('linux-x64.node', 'clang++-19', '-O2', 'clang++-19', '-static');
    for (const processor of ['Haswell', 'EPYC'])
      hashes.add(hash(processor, ['qemu-x86_64', '-cpu', processor, driver], weights, 'avx2'));
  } else print('Haswell, EPYC: left out, clang++-19 or qemu-user is not installed\n');
  if (installed('clang++-19') && installed('qemu-aarch64') && installed('aarch64-linux-gnu-g++')) {
    const flags = '--target=aarch64-linux-gnu -O2';
    const driver = compile('linux-arm64.node', 'clang++-19', flags, 'aarch64-linux-gnu-g++', '-static');
    const emulator = ['qemu-aarch64', '-cpu', 'cortex-a76', driver];
    for (const engine of ['neon-dotprod', 'plain']) hashes.add(hash('cortex-a76', emulator, weights, engine));
  } else print('cortex-a76: left out, clang++-19, qemu-user or g++-aarch64-linux-gnu is not installed\n');
  hashes.delete('');
  if (hashes.size > 1) {
    print('The vectors differ between instruction sets or machines.\n');
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Compiles the driver with the sources of a target. */
function compile(file: string, compiler: string, flags: string, linker: string, linkFlags: string): string {
  const target = KERNEL_TARGETS.find((each) => each.file === file);
  const own = Object.entries(target?.sources ?? {}).filter(([source]) => source !== 'addon.cpp');
  const name = `${file}-${compiler}`;
  const objects = [...own, [driverSource, ''] as const].map(([source, special], index) => {
    const object = join(folder, `${name}-${index}.o`);
    const parameters = `${flags} ${FLOATS} ${special} -c ${source} -o ${object}`;
    execFileSync(compiler, words(parameters), { cwd: sources, stdio: 'inherit' });
    return object;
  });
  const driver = join(folder, name);
  execFileSync(linker, [...words(linkFlags), '-o', driver, ...objects], { stdio: 'inherit' });
  return driver;
}

/** @returns the checksum of the vectors; empty when the processor lacks the instruction set */
function hash(machine: string, [command = '', ...before]: string[], weights: string, engine: string): string {
  const parameters = [...before, 'hash', weights, HASHED_BATCHES, engine];
  const { stdout, status } = spawnSync(command, parameters, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (status !== 0) throw new Error(`${machine}, ${engine}: ended with ${status}`);
  print(`${machine}, ${engine}: ${stdout}`);
  return stdout.startsWith('unusable') ? '' : stdout.trim();
}

function installed(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '');
}

function print(text: string): void {
  process.stdout.write(text);
}
