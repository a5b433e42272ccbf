#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { runWithNode24 } from '../../../scripts/run-with-node24.mjs';

// Records live for a moment: a small young generation is as fast (test/bench/unchanged.ts), and with a limit V8 tidies up
// sooner: 230 MB instead of 410 (test/bench/memory.ts). A document of 200 MB still fits.
const nodeOptions = JSON.parse(readFileSync(new URL('../node-options.json', import.meta.url), 'utf8'));
await runWithNode24(new URL('../src/main.ts', import.meta.url), nodeOptions);
