#!/usr/bin/env node
import { runWithNode24 } from '../../../scripts/run-with-node24.mjs';

await runWithNode24(new URL('../src/main.ts', import.meta.url));
