import { createHash } from 'node:crypto';
import { CHUNKING_VERSION, type ChunkingOptions } from './chunking/chunking-options.ts';
import { PAYLOAD_SCHEMA_VERSION } from './vector-store/payload.ts';

/** How sources become texts and metadata. 2: line ends are \n, values of CSV are texts. */
const READING_VERSION = 2;

/**
 * Decides, together with the model, whether a pipeline's points can be updated in place or have to be built anew:
 * everything that determines which chunks a document has and what their payloads hold.
 */
export function pipelineFingerprint(chunking: ChunkingOptions): string {
  const parts = [
    CHUNKING_VERSION,
    PAYLOAD_SCHEMA_VERSION,
    chunking.maxTokens,
    chunking.overlapTokens,
    READING_VERSION,
    ...(chunking.embedTitle === true ? ['title'] : []),
    ...(chunking.repeatTableHeader === true ? ['table header'] : []),
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}
