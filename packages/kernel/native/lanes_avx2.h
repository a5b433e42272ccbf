// Sixteen float lanes in two AVX registers.
#pragma once

struct F16 { __m256 a, b; };
static inline F16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
static inline void store(float* p, F16 x) { _mm256_storeu_ps(p, x.a); _mm256_storeu_ps(p + 8, x.b); }
static inline F16 all(float x) { __m256 y = _mm256_set1_ps(x); return {y, y}; }
static inline F16 operator+(F16 x, F16 y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
static inline F16 operator-(F16 x, F16 y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
static inline F16 operator*(F16 x, F16 y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
static inline F16 larger(F16 x, F16 y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
static inline F16 smaller(F16 x, F16 y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
static inline F16 magnitude(F16 x) {
    __m256 m = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    return {_mm256_and_ps(x.a, m), _mm256_and_ps(x.b, m)};
}
static inline F16 from_int32(const int32_t* p) {
    const __m256i* q = (const __m256i*)p;
    return {_mm256_cvtepi32_ps(_mm256_loadu_si256(q)), _mm256_cvtepi32_ps(_mm256_loadu_si256(q + 1))};
}
static inline __m256 from_planes8(const int32_t* high, const int32_t* low) {
    return _mm256_cvtepi32_ps(_mm256_add_epi32(_mm256_slli_epi32(_mm256_loadu_si256((const __m256i*)high), 8), _mm256_loadu_si256((const __m256i*)low)));
}
static inline F16 from_planes(const int32_t* high, const int32_t* low) { return {from_planes8(high, low), from_planes8(high + 8, low + 8)}; }
static inline F16 from_int8(const int8_t* p) {
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p))),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)(p + 8))))};
}
static inline __m256 lookup8of16(__m256 a, const float* table) {
    __m256i u = _mm256_castps_si256(a);
    __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), u), high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), u);
    return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(u, 28)));
}
static inline F16 lookup16(F16 x, const float* table) { return {lookup8of16(x.a, table), lookup8of16(x.b, table)}; }
static inline __m256 power8(__m256 a, const uint32_t* powers) {
    __m256i u = _mm256_castps_si256(a);
    __m256 table = _mm256_broadcast_ps((const __m128*)powers);
    __m256i base = _mm256_castps_si256(_mm256_permutevar_ps(table, u));
    return _mm256_castsi256_ps(_mm256_add_epi32(base, _mm256_slli_epi32(u, 21)));
}
static inline F16 power_of_two(F16 x, const uint32_t* powers) { return {power8(x.a, powers), power8(x.b, powers)}; }

/** Four registers of 32-bit lanes, each 0..65535, to 32 bytes: line 4 l + i... holds four lanes, see value_line(). */
static inline __m256i pack_lanes(__m256i a, __m256i b, __m256i c, __m256i d) {
    return _mm256_packus_epi16(_mm256_packus_epi32(a, b), _mm256_packus_epi32(c, d));
}
static inline __m256i low32(F16 x, F16 y) {
    const __m256i m = _mm256_set1_epi32(255);
    return pack_lanes(_mm256_and_si256(_mm256_castps_si256(x.a), m), _mm256_and_si256(_mm256_castps_si256(x.b), m),
                      _mm256_and_si256(_mm256_castps_si256(y.a), m), _mm256_and_si256(_mm256_castps_si256(y.b), m));
}
static inline void store_bytes32(uint8_t* p, F16 x, F16 y) {
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256((__m256i*)p, _mm256_permutevar8x32_epi32(low32(x, y), order));
}
static inline void store_bytes(uint8_t* p, F16 x) {
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm_storeu_si128((__m128i*)p, _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(low32(x, x), order)));
}
static inline void store_bytes64(uint8_t* p, F16 a, F16 b, F16 c, F16 d) { store_bytes32(p, a, b); store_bytes32(p + 32, c, d); }
static inline void store_planes64(uint8_t* high, uint8_t* low, const F16* a, uint8_t flip) {
    const __m256i word = _mm256_set1_epi32(0xFFFF), byte = _mm256_set1_epi16(255), f = _mm256_set1_epi8((char)flip);
    for (int i = 0; i < 2; i++, a += 2) {
        __m256i p = _mm256_packus_epi32(_mm256_and_si256(_mm256_castps_si256(a[0].a), word), _mm256_and_si256(_mm256_castps_si256(a[0].b), word));
        __m256i q = _mm256_packus_epi32(_mm256_and_si256(_mm256_castps_si256(a[1].a), word), _mm256_and_si256(_mm256_castps_si256(a[1].b), word));
        __m256i h = _mm256_packus_epi16(_mm256_srli_epi16(p, 8), _mm256_srli_epi16(q, 8));
        __m256i l = _mm256_packus_epi16(_mm256_and_si256(p, byte), _mm256_and_si256(q, byte));
        _mm256_storeu_si256((__m256i*)(high + 32 * i), _mm256_xor_si256(h, f));
        _mm256_storeu_si256((__m256i*)(low + 32 * i), _mm256_xor_si256(l, f));
    }
}
static constexpr int value_line(int line) { return line / 8 * 8 + line % 4 * 2 + line % 8 / 4; }

static inline float sum_of(F16 x) {
    __m256 y = _mm256_add_ps(x.a, x.b);
    __m128 z = _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
    z = _mm_add_ps(z, _mm_movehl_ps(z, z));
    return _mm_cvtss_f32(_mm_add_ss(z, _mm_movehdup_ps(z)));
}
static inline float largest_of(F16 x) {
    __m256 y = _mm256_max_ps(x.a, x.b);
    __m128 z = _mm_max_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
    z = _mm_max_ps(z, _mm_movehl_ps(z, z));
    return _mm_cvtss_f32(_mm_max_ss(z, _mm_movehdup_ps(z)));
}
#include "interleave_x86.h"
