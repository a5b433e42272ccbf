// 2^x as the softmax needs it.
#pragma once

/** bits(2^(j / 4)) - (j << 21): adding k << 21 gives the bits of 2^(k / 4), j being the low two bits of k. */
alignas(16) static const uint32_t POWERS[4] = {0x3F800000, 0x3F9837F0 - (1u << 21), 0x3FB504F3 - (2u << 21), 0x3FD744FD - (3u << 21)};

/** 2^x for -126 <= x <= 0, else for the nearer end. Relative error below 3e-5. */
static inline F16 exp2_of(F16 x) {
    F16 u = larger(x, all(-126.f)) + all(ROUND_4);
    F16 r = larger(x, all(-126.f)) - (u - all(ROUND_4));
    return power_of_two(u, POWERS) * (all(EXP2_0) + r * (all(EXP2_1) + r * all(EXP2_2)));
}
