// Sixteen float lanes in plain C++: the pattern for the others, each operation one correctly rounded IEEE operation per lane.
#pragma once

struct F16 { float v[16]; };
#define EACH(expression) F16 r; for (int i = 0; i < 16; i++) r.v[i] = (expression); return r
static inline F16 load(const float* p) { F16 r; memcpy(&r, p, 64); return r; }
static inline void store(float* p, F16 a) { memcpy(p, &a, 64); }
static inline F16 all(float x) { EACH(x); }
static inline F16 operator+(F16 a, F16 b) { EACH(a.v[i] + b.v[i]); }
static inline F16 operator-(F16 a, F16 b) { EACH(a.v[i] - b.v[i]); }
static inline F16 operator*(F16 a, F16 b) { EACH(a.v[i] * b.v[i]); }
static inline F16 larger(F16 a, F16 b) { EACH(a.v[i] > b.v[i] ? a.v[i] : b.v[i]); }
static inline F16 smaller(F16 a, F16 b) { EACH(a.v[i] < b.v[i] ? a.v[i] : b.v[i]); }
static inline F16 magnitude(F16 a) { EACH(__builtin_fabsf(a.v[i])); }
static inline F16 from_int32(const int32_t* p) { EACH((float)p[i]); }
/** 256 * high + low, converted. */
static inline F16 from_planes(const int32_t* high, const int32_t* low) { EACH((float)(int32_t)((uint32_t)high[i] * 256u + (uint32_t)low[i])); }
static inline F16 from_int8(const int8_t* p) { EACH((float)p[i]); }

static inline uint32_t bits_of(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
static inline float float_of(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }

/** table[low 4 bits of each lane] */
static inline F16 lookup16(F16 a, const float* table) { EACH(table[bits_of(a.v[i]) & 15]); }
/** 2^(k / 4), k being the integer in the low bits of each lane; see POWERS. */
static inline F16 power_of_two(F16 a, const uint32_t* powers) {
    EACH(float_of(powers[bits_of(a.v[i]) & 3] + (bits_of(a.v[i]) << 21)));
}
/** Stores the low byte of each lane. */
static inline void store_bytes(uint8_t* p, F16 a) { for (int i = 0; i < 16; i++) p[i] = (uint8_t)bits_of(a.v[i]); }
static inline void store_bytes64(uint8_t* p, F16 a, F16 b, F16 c, F16 d) {
    store_bytes(p, a); store_bytes(p + 16, b); store_bytes(p + 32, c); store_bytes(p + 48, d);
}
/** Stores the bytes 1 and 0 of 64 lanes apart, each xor `flip`, in the order that value_line() tells. */
static inline void store_planes64(uint8_t* high, uint8_t* low, const F16* a, uint8_t flip) {
    for (int i = 0; i < 64; i++) {
        uint32_t u = bits_of(a[i / 16].v[i % 16]);
        high[i] = (uint8_t)(u >> 8) ^ flip;
        low[i] = (uint8_t)u ^ flip;
    }
}
/** Which group of four keys of 64 lies in line `line` after store_planes64(). */
static constexpr int value_line(int line) { return line; }

static inline float sum_of(F16 a) {
    for (int w = 8; w; w >>= 1)
        for (int i = 0; i < w; i++) a.v[i] = a.v[i] + a.v[i + w];
    return a.v[0];
}
static inline float largest_of(F16 a) {
    float m = a.v[0];
    for (int i = 1; i < 16; i++) m = m > a.v[i] ? m : a.v[i];
    return m;
}
/** 16 bytes of four rows, the four of each column side by side. */
static inline void interleave(const int8_t* a, const int8_t* b, const int8_t* c, const int8_t* d, int8_t* to) {
    for (int i = 0; i < 16; i++, to += 4) { to[0] = a[i]; to[1] = b[i]; to[2] = c[i]; to[3] = d[i]; }
}
