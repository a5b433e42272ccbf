// Blocks of an 8-bit product in 256 bits, 6 rows by 16 columns at a time: with vpdpbusd where AVX_VNNI is set, else with
// vpmaddubsw. That adds two products in 16 bits, which is why weights, keys and values are kept within +-64: 2 * 255 * 64 fits.
#pragma once

constexpr int SIGNED_OFFSET = 128;        // as with AVX-512
constexpr uint8_t UNSIGNED_FLIP = 0;
#if AVX_VNNI
constexpr int BLOCK_ROWS = 12, STRIP = 6;
static inline __m256i multiply(__m256i c, __m256i a, __m256i b) { return _mm256_dpbusd_avx_epi32(c, a, b); }
#else
constexpr int BLOCK_ROWS = 12, STRIP = 4;
static inline __m256i multiply(__m256i c, __m256i a, __m256i b) {
    return _mm256_add_epi32(c, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)));
}
#endif

template <bool SIGNED, int R>
static inline void half_strip(const uint8_t* A, size_t lda, const int8_t* B, int depth, const int32_t* Z, int32_t* C, size_t ldc) {
    __m256i c[R][2], zero = _mm256_setzero_si256();
    __m256i z0 = SIGNED ? _mm256_sub_epi32(zero, _mm256_loadu_si256((const __m256i*)Z)) : zero;
    __m256i z1 = SIGNED ? _mm256_sub_epi32(zero, _mm256_loadu_si256((const __m256i*)(Z + 8))) : zero;
    for (int r = 0; r < R; r++) { c[r][0] = z0; c[r][1] = z1; }
    for (int k = 0; k < depth; k += 4) {
        __m256i b0 = _mm256_loadu_si256((const __m256i*)(B + k * 16)), b1 = _mm256_loadu_si256((const __m256i*)(B + k * 16 + 32));
#pragma GCC unroll 6
        for (int r = 0; r < R; r++) {
            int32_t w;
            memcpy(&w, A + r * lda + k, 4);
            __m256i a = _mm256_set1_epi32(w);
            c[r][0] = multiply(c[r][0], a, b0);
            c[r][1] = multiply(c[r][1], a, b1);
        }
    }
    for (int r = 0; r < R; r++) {
        _mm256_storeu_si256((__m256i*)(C + r * ldc), c[r][0]);
        _mm256_storeu_si256((__m256i*)(C + r * ldc + 8), c[r][1]);
    }
}
template <bool SIGNED, int R>
static inline void strip(const uint8_t* A, size_t lda, const int8_t* B0, const int8_t* B1, int depth, const int32_t* Z0, const int32_t* Z1, int32_t* C, size_t ldc) {
    half_strip<SIGNED, R>(A, lda, B0, depth, Z0, C, ldc);
    half_strip<SIGNED, R>(A, lda, B1, depth, Z1, C + 16, ldc);
}
#include "product_rows.h"
