import type { ChaosSystem } from './system.ts';

export type Form = 'short' | 'full';

/** Something that goes wrong and ends again. */
export interface Fault {
  readonly name: string;
  readonly times: Readonly<Record<Form, number>>;
  /** Why it cannot happen to this system; absent or null when it can. */
  readonly impossible?: (system: ChaosSystem) => string | null;
  /** Lets it happen and end. @returns milliseconds from its end until the work went on */
  readonly inject: (system: ChaosSystem) => Promise<number>;
}
