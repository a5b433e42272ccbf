/** Prefix of all keys in Redis where nobody sets one: two projects that share a Redis then share the prefix as well. */
export const DEFAULT_PREFIX = '{embedline}';
