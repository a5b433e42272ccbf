// Blocks of an 8-bit product with sdot: 4 rows by 16 columns of sums in 16 registers.
#pragma once

constexpr int BLOCK_ROWS = 8, STRIP = 4;
constexpr int SIGNED_OFFSET = 0;          // the instruction multiplies signed by signed
constexpr uint8_t UNSIGNED_FLIP = 128;    // so unsigned rows are kept 128 lower, and the sums start at 128 times the column's

template <bool SIGNED, int R>
static inline void half_strip(const uint8_t* A, size_t lda, const int8_t* B, int depth, const int32_t* Z, int32_t* C, size_t ldc) {
    int32x4_t c[R][4];
    for (int j = 0; j < 4; j++) {
        int32x4_t z = SIGNED ? vdupq_n_s32(0) : vld1q_s32(Z + 4 * j);
        for (int r = 0; r < R; r++) c[r][j] = z;
    }
    for (int k = 0; k < depth; k += 4, B += 64) {
        int8x16_t b[4];
        for (int j = 0; j < 4; j++) b[j] = vld1q_s8(B + 16 * j);
        for (int r = 0; r < R; r++) {
            int32_t word;
            memcpy(&word, A + r * lda + k, 4);
            int8x16_t a = vreinterpretq_s8_s32(vdupq_n_s32(word));
            for (int j = 0; j < 4; j++) c[r][j] = vdotq_s32(c[r][j], b[j], a);
        }
    }
    for (int r = 0; r < R; r++)
        for (int j = 0; j < 4; j++) vst1q_s32(C + r * ldc + 4 * j, c[r][j]);
}
template <bool SIGNED, int R>
static inline void strip(const uint8_t* A, size_t lda, const int8_t* B0, const int8_t* B1, int depth, const int32_t* Z0, const int32_t* Z1, int32_t* C, size_t ldc) {
    half_strip<SIGNED, R>(A, lda, B0, depth, Z0, C, ldc);
    half_strip<SIGNED, R>(A, lda, B1, depth, Z1, C + 16, ldc);
}
#include "product_rows.h"
