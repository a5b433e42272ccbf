/**
 * Tokens of all texts of one call at which the kernel is close to its best speed. More gain little and hold the thread
 * longer: about 6 ms for these with AMX, 12 ms with AVX-512.
 */
export const PREFERRED_TOKENS_PER_CALL = 512;
