import type { GenerationPoints, VectorStore } from '@embedline/core';

/** Called with the name of each method of a store, before it is done; the result is called after it was done. */
export type Interference = (method: string) => (() => void) | undefined;

/** A store whose every call can be interfered with. */
export function interferedStore(store: VectorStore, interfere: Interference): VectorStore {
  return wrap(store, interfere, {
    open: async (...args: Parameters<VectorStore['open']>) => wrap(await store.open(...args), interfere, {}),
  });
}

/** A store that says of the n-th write that it is done, and has lost it. */
export function forgetfulStore(store: VectorStore, nth: number): VectorStore {
  let writes = 0;
  const forget = (points: GenerationPoints): GenerationPoints =>
    new Proxy(points, {
      get: (target, name) => {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== 'function') return value;
        const method = value as (...args: unknown[]) => unknown;
        return (...args: unknown[]) =>
          name === 'upsert' && (writes += 1) === nth ? Promise.resolve() : method.apply(target, args);
      },
    });
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'open')
        return async (...args: Parameters<VectorStore['open']>) => forget(await target.open(...args));
      const value = Reflect.get(target, name) as unknown;
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
}

function wrap<T extends object>(target: T, interfere: Interference, replaced: object): T {
  return new Proxy(target, {
    get: (_, name) => {
      if (name in replaced) return Reflect.get(replaced, name) as unknown;
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function') return value;
      const method = value as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        if (name === 'close') return method.apply(target, args);
        const after = interfere(String(name));
        const result = method.apply(target, args);
        if (!(result instanceof Promise) || after === undefined) return result;
        return result.then((done: unknown) => {
          after();
          return done;
        });
      };
    },
  });
}
