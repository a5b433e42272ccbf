#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { runWithNode24 } from '../../../scripts/run-with-node24.mjs';

// Texts and vectors live for the time of a batch: with less room for garbage, a worker takes half the memory and is as
// fast (test/bench). Inference processes, which hold the model, are not concerned.
const nodeOptions = JSON.parse(readFileSync(new URL('../node-options.json', import.meta.url), 'utf8'));
await runWithNode24(new URL('../src/main.ts', import.meta.url), nodeOptions);
