// Blocks of an 8-bit product in plain C++: what every other one must equal.
#pragma once

constexpr int BLOCK_ROWS = 8, STRIP = 1;
constexpr int SIGNED_OFFSET = 0;
constexpr uint8_t UNSIGNED_FLIP = 0;

template <bool SIGNED, int R>
static inline void strip(const uint8_t* A, size_t, const int8_t* B0, const int8_t* B1, int depth, const int32_t*, const int32_t*, int32_t* C, size_t) {
    for (int n = 0; n < 32; n++) {
        const int8_t* b = (n < 16 ? B0 : B1) + n % 16 * 4;
        int32_t sum = 0;
        for (int k = 0; k < depth; k++) sum += (SIGNED ? (int)(int8_t)A[k] : (int)A[k]) * b[k / 4 * 64 + k % 4];
        C[n] = sum;
    }
}
#include "product_rows.h"
