// Blocks of an 8-bit product with vpdpbusd in 512 bits: 12 rows by 32 columns of sums in 24 registers.
#pragma once

constexpr int BLOCK_ROWS = 12, STRIP = 12;
constexpr int SIGNED_OFFSET = 128;        // the instruction multiplies unsigned by signed; the sums start at -128 times the column's
constexpr uint8_t UNSIGNED_FLIP = 0;

template <bool SIGNED, int R>
static inline void strip(const uint8_t* A, size_t lda, const int8_t* B0, const int8_t* B1, int depth, const int32_t* Z0, const int32_t* Z1, int32_t* C, size_t ldc) {
    __m512i c[R][2], zero = _mm512_setzero_si512();
    __m512i z0 = SIGNED ? _mm512_sub_epi32(zero, _mm512_loadu_si512(Z0)) : zero, z1 = SIGNED ? _mm512_sub_epi32(zero, _mm512_loadu_si512(Z1)) : zero;
    for (int r = 0; r < R; r++) { c[r][0] = z0; c[r][1] = z1; }
    for (int k = 0; k < depth; k += 4) {
        __m512i b0 = _mm512_loadu_si512(B0 + k * 16), b1 = _mm512_loadu_si512(B1 + k * 16);
#pragma GCC unroll 12
        for (int r = 0; r < R; r++) {
            int32_t w;
            memcpy(&w, A + r * lda + k, 4);
            __m512i a = _mm512_set1_epi32(w);
            c[r][0] = _mm512_dpbusd_epi32(c[r][0], a, b0);
            c[r][1] = _mm512_dpbusd_epi32(c[r][1], a, b1);
        }
    }
    for (int r = 0; r < R; r++) { _mm512_storeu_si512(C + r * ldc, c[r][0]); _mm512_storeu_si512(C + r * ldc + 16, c[r][1]); }
}
#include "product_rows.h"
