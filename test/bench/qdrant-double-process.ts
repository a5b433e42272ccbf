/** The Qdrant double as a process of its own, so that its work is not that of its callers. Sends its URL to its parent. */
import { startQdrantDouble } from '../support/qdrant-double/server.ts';

const double = await startQdrantDouble();
process.send?.(double.url);
process.on('disconnect', () => process.exit());
