// Sixteen float lanes in four WebAssembly vectors.
#pragma once

struct F16 { v128_t v[4]; };
#define EACH(expression) F16 r; for (int i = 0; i < 4; i++) r.v[i] = (expression); return r
static inline F16 load(const float* p) { EACH(wasm_v128_load(p + 4 * i)); }
static inline void store(float* p, F16 a) { for (int i = 0; i < 4; i++) wasm_v128_store(p + 4 * i, a.v[i]); }
static inline F16 all(float x) { EACH(wasm_f32x4_splat(x)); }
static inline F16 operator+(F16 a, F16 b) { EACH(wasm_f32x4_add(a.v[i], b.v[i])); }
static inline F16 operator-(F16 a, F16 b) { EACH(wasm_f32x4_sub(a.v[i], b.v[i])); }
static inline F16 operator*(F16 a, F16 b) { EACH(wasm_f32x4_mul(a.v[i], b.v[i])); }
static inline F16 larger(F16 a, F16 b) { EACH(wasm_f32x4_pmax(b.v[i], a.v[i])); }
static inline F16 smaller(F16 a, F16 b) { EACH(wasm_f32x4_pmin(b.v[i], a.v[i])); }
static inline F16 magnitude(F16 a) { EACH(wasm_f32x4_abs(a.v[i])); }
static inline F16 from_int32(const int32_t* p) { EACH(wasm_f32x4_convert_i32x4(wasm_v128_load(p + 4 * i))); }
static inline F16 from_planes(const int32_t* high, const int32_t* low) {
    EACH(wasm_f32x4_convert_i32x4(wasm_i32x4_add(wasm_i32x4_shl(wasm_v128_load(high + 4 * i), 8), wasm_v128_load(low + 4 * i))));
}
static inline F16 from_int8(const int8_t* p) {
    v128_t a = wasm_i16x8_load8x8(p), b = wasm_i16x8_load8x8(p + 8);
    return {{wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(a)), wasm_f32x4_convert_i32x4(wasm_i32x4_extend_high_i16x8(a)),
             wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(b)), wasm_f32x4_convert_i32x4(wasm_i32x4_extend_high_i16x8(b))}};
}
static inline v128_t lookup4of16(v128_t a, const float* table) {
    return wasm_f32x4_make(table[wasm_i32x4_extract_lane(a, 0) & 15], table[wasm_i32x4_extract_lane(a, 1) & 15],
                           table[wasm_i32x4_extract_lane(a, 2) & 15], table[wasm_i32x4_extract_lane(a, 3) & 15]);
}
static inline F16 lookup16(F16 a, const float* table) { EACH(lookup4of16(a.v[i], table)); }
static inline F16 power_of_two(F16 a, const uint32_t* powers) {
    v128_t table = wasm_v128_load(powers), three = wasm_i32x4_splat(3);
    F16 r;
    for (int i = 0; i < 4; i++) {
        v128_t places = wasm_i32x4_add(wasm_i32x4_mul(wasm_v128_and(a.v[i], three), wasm_i32x4_splat(0x04040404)), wasm_i32x4_splat(0x03020100));
        r.v[i] = wasm_i32x4_add(wasm_i8x16_swizzle(table, places), wasm_i32x4_shl(a.v[i], 21));
    }
    return r;
}
static inline v128_t low_bytes(F16 a) {
    const v128_t m = wasm_i32x4_splat(255);
    v128_t p = wasm_u16x8_narrow_i32x4(wasm_v128_and(a.v[0], m), wasm_v128_and(a.v[1], m));
    return wasm_u8x16_narrow_i16x8(p, wasm_u16x8_narrow_i32x4(wasm_v128_and(a.v[2], m), wasm_v128_and(a.v[3], m)));
}
static inline void store_bytes(uint8_t* p, F16 a) { wasm_v128_store(p, low_bytes(a)); }
static inline void store_bytes64(uint8_t* p, F16 a, F16 b, F16 c, F16 d) {
    store_bytes(p, a); store_bytes(p + 16, b); store_bytes(p + 32, c); store_bytes(p + 48, d);
}
static inline void store_planes64(uint8_t* high, uint8_t* low, const F16* a, uint8_t flip) {
    const v128_t word = wasm_i32x4_splat(0xFFFF), byte = wasm_i16x8_splat(255), f = wasm_i8x16_splat((int8_t)flip);
    for (int i = 0; i < 4; i++) {
        v128_t p = wasm_u16x8_narrow_i32x4(wasm_v128_and(a[i].v[0], word), wasm_v128_and(a[i].v[1], word));
        v128_t q = wasm_u16x8_narrow_i32x4(wasm_v128_and(a[i].v[2], word), wasm_v128_and(a[i].v[3], word));
        wasm_v128_store(high + 16 * i, wasm_v128_xor(f, wasm_u8x16_narrow_i16x8(wasm_u16x8_shr(p, 8), wasm_u16x8_shr(q, 8))));
        wasm_v128_store(low + 16 * i, wasm_v128_xor(f, wasm_u8x16_narrow_i16x8(wasm_v128_and(p, byte), wasm_v128_and(q, byte))));
    }
}
static constexpr int value_line(int line) { return line; }

static inline float sum_of(F16 a) {
    v128_t x = wasm_f32x4_add(wasm_f32x4_add(a.v[0], a.v[2]), wasm_f32x4_add(a.v[1], a.v[3]));
    x = wasm_f32x4_add(x, wasm_i32x4_shuffle(x, x, 2, 3, 2, 3));
    return wasm_f32x4_extract_lane(x, 0) + wasm_f32x4_extract_lane(x, 1);
}
static inline float largest_of(F16 a) {
    v128_t x = wasm_f32x4_pmax(wasm_f32x4_pmax(a.v[0], a.v[2]), wasm_f32x4_pmax(a.v[1], a.v[3]));
    x = wasm_f32x4_pmax(x, wasm_i32x4_shuffle(x, x, 2, 3, 2, 3));
    float p = wasm_f32x4_extract_lane(x, 0), q = wasm_f32x4_extract_lane(x, 1);
    return p > q ? p : q;
}

/** 16 bytes of four rows, the four of each column side by side. */
static inline void interleave(const int8_t* a, const int8_t* b, const int8_t* c, const int8_t* d, int8_t* to) {
    v128_t w = wasm_v128_load(a), x = wasm_v128_load(b), y = wasm_v128_load(c), z = wasm_v128_load(d);
    v128_t p = wasm_i8x16_shuffle(w, x, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), q = wasm_i8x16_shuffle(y, z, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    v128_t r = wasm_i8x16_shuffle(w, x, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), s = wasm_i8x16_shuffle(y, z, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    wasm_v128_store(to, wasm_i16x8_shuffle(p, q, 0, 8, 1, 9, 2, 10, 3, 11)); wasm_v128_store(to + 16, wasm_i16x8_shuffle(p, q, 4, 12, 5, 13, 6, 14, 7, 15));
    wasm_v128_store(to + 32, wasm_i16x8_shuffle(r, s, 0, 8, 1, 9, 2, 10, 3, 11)); wasm_v128_store(to + 48, wasm_i16x8_shuffle(r, s, 4, 12, 5, 13, 6, 14, 7, 15));
}
