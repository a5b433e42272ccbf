import { readFile } from 'node:fs/promises';
import { machineLimits } from '@embedline/core';

/** The CPU with what decides how much faster 8-bit products are on it than 32-bit ones, as far as Linux tells. */
export async function describeCpu(): Promise<string> {
  const { cpuModel: model } = machineLimits();
  const flags = /^flags\s*:(.*)$/m.exec(await readFile('/proc/cpuinfo', 'utf8').catch(() => ''))?.[1];
  if (flags === undefined) return model;
  const has = (flag: string) => flags.split(' ').includes(flag);
  if (has('avx512_vnni')) return `${model} (AVX-512 VNNI)`;
  if (has('avx_vnni')) return `${model} (AVX2 with VNNI)`;
  return has('avx2') ? `${model} (AVX2, no VNNI)` : model;
}
