/** Exit codes of every command. */
export const EXIT = Object.freeze({ done: 0, failed: 1, usage: 2, deadLetters: 3, interrupted: 130 });
