import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { Releasers } from '@embedline/core';
import { startHttpProxy } from '../support/http-proxy.ts';
import { CrashLoop } from './crash-loop.ts';
import type { Fault } from './fault.ts';
import { writeWrongModel } from './side-models.ts';
import { poll, untilProgress, type ChaosSystem } from './system.ts';
import { PACED_WORKER } from './worker-fleet.ts';

/** Of each kind of wrong worker. */
const RESTARTS = 4;
const LIFE_MS = 200;

interface WrongSetting {
  readonly env: NodeJS.ProcessEnv;
  /** How such a worker says that it leaves the run to others, or why it cannot begin. */
  readonly refusal: RegExp;
}

/** Workers that are set up wrongly and started again at once, whenever they end: no batch may pay for that. */
export const WRONG_WORKERS: Fault = {
  name: 'workers with a wrong store, key or model, crash-looping',
  times: { short: 1, full: 5 },
  inject: async (system) => {
    await using releasers = new Releasers();
    const loops = (await wrongSettings(system, releasers)).map(({ env, refusal }) =>
      releasers.own(
        new CrashLoop({
          program: PACED_WORKER,
          env: { ...system.env, ...env },
          awaited: refusal,
          lifeMs: LIFE_MS,
        }),
      ),
    );
    const rounds = () => loops.map((loop) => loop.rounds);
    await poll('each kind of wrong worker was refused and restarted', async () =>
      rounds().every((count) => count >= RESTARTS),
    ).catch((cause: unknown) => {
      const said = loops.map(({ output }) => output).join('\n');
      throw new Error(`Refused so often: ${rounds().join(', ')}.\n${said}`, { cause });
    });
    await releasers.release();
    return await untilProgress(system);
  },
};

async function wrongSettings(system: ChaosSystem, releasers: Releasers): Promise<WrongSetting[]> {
  const elsewhere = await mkdtemp(join(system.directory, 'elsewhere-'));
  await writeWrongModel(join(elsewhere, 'models'));
  return [
    {
      env: { QDRANT_URL: undefined, EMBEDLINE_HOME: elsewhere },
      refusal: /"code":"(STORE_MISMATCH|COLLECTION_NOT_FOUND)"/,
    },
    { env: { EMBEDLINE_MODELS: join(elsewhere, 'models') }, refusal: /"code":"MODEL_MISMATCH"/ },
    ...(system.qdrant === null ? [] : [await wrongKey(system.qdrant.url, releasers)]),
  ];
}

/** What Qdrant says to a wrong key: the double asks for none. */
async function wrongKey(url: string, releasers: Releasers): Promise<WrongSetting> {
  const refusing = releasers.own(await startHttpProxy(url));
  refusing.setFault({
    kind: 'answer',
    status: 401,
    headers: { 'content-type': 'text/plain' },
    body: 'Must provide an API key or an Authorization bearer token',
  });
  return { env: { QDRANT_URL: refusing.url, QDRANT_API_KEY: 'a-wrong-key' }, refusal: /API.KEY/i };
}
