/**
 * The version of ARITHMETIC.md. All instruction sets of one version give the same bits; another version gives others, so it
 * belongs to a model's identity.
 */
export const ARITHMETIC_VERSION = 1;
