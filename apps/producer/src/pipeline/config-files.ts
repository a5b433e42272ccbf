/** Names of a configuration file. Looked for in the working directory, in this order. */
export const CONFIG_FILES = ['embedline.config.ts', 'embedline.config.mjs', 'embedline.config.json'] as const;

/** The one that `init` writes. */
export const DEFAULT_CONFIG_FILE = CONFIG_FILES[0];
