// Sixteen float lanes in one AVX-512 register.
#pragma once

struct F16 { __m512 v; };
static inline F16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
static inline void store(float* p, F16 a) { _mm512_storeu_ps(p, a.v); }
static inline F16 all(float x) { return {_mm512_set1_ps(x)}; }
static inline F16 operator+(F16 a, F16 b) { return {_mm512_add_ps(a.v, b.v)}; }
static inline F16 operator-(F16 a, F16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
static inline F16 operator*(F16 a, F16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
static inline F16 larger(F16 a, F16 b) { return {_mm512_max_ps(a.v, b.v)}; }
static inline F16 smaller(F16 a, F16 b) { return {_mm512_min_ps(a.v, b.v)}; }
static inline F16 magnitude(F16 a) { return {_mm512_abs_ps(a.v)}; }
static inline F16 from_int32(const int32_t* p) { return {_mm512_cvtepi32_ps(_mm512_loadu_si512(p))}; }
static inline F16 from_planes(const int32_t* high, const int32_t* low) {
    return {_mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(_mm512_loadu_si512(high), 8), _mm512_loadu_si512(low)))};
}
static inline F16 from_int8(const int8_t* p) { return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p)))}; }
static inline F16 lookup16(F16 a, const float* table) {
    return {_mm512_permutexvar_ps(_mm512_castps_si512(a.v), _mm512_loadu_ps(table))};
}
static inline F16 power_of_two(F16 a, const uint32_t* powers) {
    __m512i u = _mm512_castps_si512(a.v);
    __m512 table = _mm512_castsi512_ps(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i*)powers)));
    __m512i base = _mm512_castps_si512(_mm512_permutevar_ps(table, u));
    return {_mm512_castsi512_ps(_mm512_add_epi32(base, _mm512_slli_epi32(u, 21)))};
}
static inline void store_bytes(uint8_t* p, F16 a) { _mm_storeu_si128((__m128i*)p, _mm512_cvtepi32_epi8(_mm512_castps_si512(a.v))); }

/** The low bytes of four registers, in lines of four lanes: line 4 i + l holds the lanes 4 l.. of register i... transposed. */
static inline __m512i low_bytes(__m512i a, __m512i b, __m512i c, __m512i d) {
    const __m512i m = _mm512_set1_epi32(255);
    return _mm512_packus_epi16(_mm512_packus_epi32(_mm512_and_si512(a, m), _mm512_and_si512(b, m)),
                               _mm512_packus_epi32(_mm512_and_si512(c, m), _mm512_and_si512(d, m)));
}
static inline void store_bytes64(uint8_t* p, F16 a, F16 b, F16 c, F16 d) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i x = low_bytes(_mm512_castps_si512(a.v), _mm512_castps_si512(b.v), _mm512_castps_si512(c.v), _mm512_castps_si512(d.v));
    _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, x));
}
static inline void store_planes64(uint8_t* high, uint8_t* low, const F16* a, uint8_t flip) {
    const __m512i word = _mm512_set1_epi32(0xFFFF), byte = _mm512_set1_epi16(255), x = _mm512_set1_epi8((char)flip);
    __m512i p = _mm512_packus_epi32(_mm512_and_si512(_mm512_castps_si512(a[0].v), word), _mm512_and_si512(_mm512_castps_si512(a[1].v), word));
    __m512i q = _mm512_packus_epi32(_mm512_and_si512(_mm512_castps_si512(a[2].v), word), _mm512_and_si512(_mm512_castps_si512(a[3].v), word));
    _mm512_storeu_si512(high, _mm512_xor_si512(x, _mm512_packus_epi16(_mm512_srli_epi16(p, 8), _mm512_srli_epi16(q, 8))));
    _mm512_storeu_si512(low, _mm512_xor_si512(x, _mm512_packus_epi16(_mm512_and_si512(p, byte), _mm512_and_si512(q, byte))));
}
static constexpr int value_line(int line) { return line % 4 * 4 + line / 4; }

static inline float sum_of(F16 a) {
    __m256 y = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    __m128 z = _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
    z = _mm_add_ps(z, _mm_movehl_ps(z, z));
    return _mm_cvtss_f32(_mm_add_ss(z, _mm_movehdup_ps(z)));
}
static inline float largest_of(F16 a) {
    __m256 y = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    __m128 z = _mm_max_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
    z = _mm_max_ps(z, _mm_movehl_ps(z, z));
    return _mm_cvtss_f32(_mm_max_ss(z, _mm_movehdup_ps(z)));
}
#include "interleave_x86.h"
