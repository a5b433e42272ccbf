import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import LongestFirst from './support/longest-first.ts';

const UNIT = ['test/unit/**/*.test.ts', 'test/fuzz/**/*.test.ts'];

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('..', import.meta.url)),
    globalSetup: ['test/support/global-setup.ts'],
    // Each file with processes of its own on two cores: more at once only wait for each other.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        // These share the modules they load, which takes 0.8 s of CPU for each file otherwise.
        test: { name: 'unit', include: UNIT, isolate: false },
      },
      { extends: true, test: { name: 'services', include: ['test/**/*.test.ts'], exclude: UNIT } },
    ],
  },
});
