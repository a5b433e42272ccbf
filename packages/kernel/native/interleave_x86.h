#pragma once
/** 16 bytes of four rows, the four of each column side by side. */
static inline void interleave(const int8_t* a, const int8_t* b, const int8_t* c, const int8_t* d, int8_t* to) {
    __m128i w = _mm_loadu_si128((const __m128i*)a), x = _mm_loadu_si128((const __m128i*)b), y = _mm_loadu_si128((const __m128i*)c), z = _mm_loadu_si128((const __m128i*)d);
    __m128i p = _mm_unpacklo_epi8(w, x), q = _mm_unpacklo_epi8(y, z), r = _mm_unpackhi_epi8(w, x), s = _mm_unpackhi_epi8(y, z);
    __m128i* o = (__m128i*)to;
    _mm_storeu_si128(o, _mm_unpacklo_epi16(p, q)); _mm_storeu_si128(o + 1, _mm_unpackhi_epi16(p, q));
    _mm_storeu_si128(o + 2, _mm_unpacklo_epi16(r, s)); _mm_storeu_si128(o + 3, _mm_unpackhi_epi16(r, s));
}
