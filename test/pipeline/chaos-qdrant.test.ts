import { test } from 'vitest';
import { surviveShortForm } from '../chaos/short-form.ts';

// A file for each store: files run side by side.
test('whatever goes wrong, every chunk is there once and counted once: qdrant', { timeout: 400_000 }, () =>
  surviveShortForm('qdrant', 14),
);
