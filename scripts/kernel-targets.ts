// What the kernel is compiled for, and with which flags: for build-kernel.ts, and for the tests that compile it otherwise.

const AVX512 = '-mavx2 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx512vnni -mprefer-vector-width=512';
/** No flag may let the compiler change a float operation: the bits are defined by packages/kernel/ARITHMETIC.md. */
export const COMMON_FLAGS =
  '-std=c++17 -O3 -fPIC -ffreestanding -fvisibility=hidden -fno-exceptions -fno-rtti -fno-threadsafe-statics ' +
  '-fno-strict-aliasing -ffp-contract=off -fno-math-errno -fno-ident -fno-stack-protector -Wall -Wextra -Werror';

export interface KernelTarget {
  readonly file: string;
  readonly flags: string;
  /** Sources with the flags that only they have. */
  readonly sources: Readonly<Record<string, string>>;
  readonly link: string;
}

const SHARED =
  '-shared -nostdlib -fuse-ld=lld -Wl,--build-id=none -Wl,-s -Wl,-z,noexecstack -Wl,--hash-style=gnu';
export const KERNEL_TARGETS: readonly KernelTarget[] = [
  {
    file: 'linux-x64.node',
    flags: '--target=x86_64-linux-gnu',
    sources: {
      'model.cpp': '',
      'pack.cpp': '',
      'dispatch.cpp': '',
      'addon.cpp': '',
      'engine_plain.cpp': '',
      'engine_avx2.cpp': '-mavx2',
      'engine_avxvnni.cpp': '-mavx2 -mavxvnni',
      'engine_avx512vnni.cpp': AVX512,
      'engine_amx.cpp': `${AVX512} -mamx-tile -mamx-int8`,
    },
    link: SHARED,
  },
  {
    file: 'linux-arm64.node',
    flags: '--target=aarch64-linux-gnu -mno-outline-atomics',
    sources: {
      'model.cpp': '',
      'pack.cpp': '',
      'dispatch.cpp': '',
      'addon.cpp': '',
      'engine_plain.cpp': '',
      'engine_neondotprod.cpp': '-march=armv8.2-a+dotprod',
    },
    link: SHARED,
  },
  {
    file: 'kernel.wasm',
    flags: '--target=wasm32 -msimd128 -mrelaxed-simd -mbulk-memory',
    sources: {
      'model.cpp': '',
      'pack.cpp': '',
      'dispatch.cpp': '',
      'wasm.cpp': '',
      'engine_plain.cpp': '',
      'engine_wasm.cpp': '',
    },
    link: '-nostdlib -fuse-ld=lld -Wl,--no-entry -Wl,-s -Wl,-z,stack-size=262144 -Wl,--stack-first',
  },
];
