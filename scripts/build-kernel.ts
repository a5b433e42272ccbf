// `npm run build:kernel`: builds the native addons and the WebAssembly module of packages/kernel with clang 19 and lld.
// `--check` compares with what the repository holds instead, and passes where that compiler is not installed.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMMON_FLAGS, KERNEL_TARGETS, type KernelTarget } from './kernel-targets.ts';

const kernel = fileURLToPath(new URL('../packages/kernel', import.meta.url));
const sources = join(kernel, 'native');
const prebuilt = join(kernel, 'prebuilt');

const check = process.argv.includes('--check');
const compiler = findCompiler();
if (compiler === null) {
  process.stdout.write('clang++-19 is not installed: nothing was built.\n');
  process.exitCode = check ? 0 : 1;
} else {
  const built = KERNEL_TARGETS.map((target) => ({
    file: target.file,
    bytes: build(target, compiler.command),
  }));
  const sums = built.map(({ file, bytes }) => `${sha256(bytes)}  ${file}\n`).join('');
  if (check) compare(sums, compiler.version);
  else {
    mkdirSync(prebuilt, { recursive: true });
    for (const { file, bytes } of built) writeFileSync(join(prebuilt, file), bytes);
    writeFileSync(join(prebuilt, 'SHA256SUMS'), sums);
    writeFileSync(join(prebuilt, 'COMPILER'), `${compiler.version}\n`);
    process.stdout.write(built.map(({ file, bytes }) => `${file}: ${bytes.length} bytes\n`).join(''));
  }
}

function build({ flags, sources: files, link }: KernelTarget, command: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'embedline-kernel-'));
  try {
    const clang = (parameters: string) =>
      execFileSync(
        command,
        parameters.split(' ').filter((parameter) => parameter !== ''),
        {
          cwd: sources,
          stdio: ['ignore', 'inherit', 'inherit'],
        },
      );
    const objects = Object.entries(files).map(([source, own]) => {
      const object = join(folder, source.replace('.cpp', '.o'));
      clang(`${flags} ${COMMON_FLAGS} ${own} -c ${source} -o ${object}`);
      return object;
    });
    const result = join(folder, 'result');
    clang(`${flags} ${link} -o ${result} ${objects.join(' ')}`);
    return readFileSync(result);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function compare(sums: string, version: string): void {
  const recorded = readFileSync(join(prebuilt, 'COMPILER'), 'utf8').trim();
  if (version !== recorded) {
    process.stdout.write(`Not compared: this is ${version}, the files were built by ${recorded}.\n`);
    return;
  }
  const wanted = readFileSync(join(prebuilt, 'SHA256SUMS'), 'utf8');
  if (sums === wanted) process.stdout.write('The prebuilt files are those that the sources give.\n');
  else {
    process.stderr.write(
      `The prebuilt files differ from what the sources give. Run npm run build:kernel.\n${sums}`,
    );
    process.exitCode = 1;
  }
}

function findCompiler(): { command: string; version: string } | null {
  for (const command of ['clang++-19', 'clang++']) {
    try {
      const output = execFileSync(command, ['--version'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const [version = ''] = output.split('\n');
      if (/version 19\./.test(version)) return { command, version };
    } catch {
      // It is not installed under this name.
    }
  }
  return null;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
