// Sixteen float lanes in four NEON registers.
#pragma once

struct F16 { float32x4_t v[4]; };
#define EACH(expression) F16 r; for (int i = 0; i < 4; i++) r.v[i] = (expression); return r
static inline F16 load(const float* p) { EACH(vld1q_f32(p + 4 * i)); }
static inline void store(float* p, F16 a) { for (int i = 0; i < 4; i++) vst1q_f32(p + 4 * i, a.v[i]); }
static inline F16 all(float x) { EACH(vdupq_n_f32(x)); }
static inline F16 operator+(F16 a, F16 b) { EACH(vaddq_f32(a.v[i], b.v[i])); }
static inline F16 operator-(F16 a, F16 b) { EACH(vsubq_f32(a.v[i], b.v[i])); }
static inline F16 operator*(F16 a, F16 b) { EACH(vmulq_f32(a.v[i], b.v[i])); }
static inline F16 larger(F16 a, F16 b) { EACH(vmaxq_f32(a.v[i], b.v[i])); }
static inline F16 smaller(F16 a, F16 b) { EACH(vminq_f32(a.v[i], b.v[i])); }
static inline F16 magnitude(F16 a) { EACH(vabsq_f32(a.v[i])); }
static inline F16 from_int32(const int32_t* p) { EACH(vcvtq_f32_s32(vld1q_s32(p + 4 * i))); }
static inline F16 from_planes(const int32_t* high, const int32_t* low) {
    EACH(vcvtq_f32_s32(vaddq_s32(vshlq_n_s32(vld1q_s32(high + 4 * i), 8), vld1q_s32(low + 4 * i))));
}
static inline F16 from_int8(const int8_t* p) {
    int16x8_t a = vmovl_s8(vld1_s8(p)), b = vmovl_s8(vld1_s8(p + 8));
    return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(a))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(a))),
             vcvtq_f32_s32(vmovl_s16(vget_low_s16(b))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(b)))}};
}

/** Byte positions of 32-bit entries `index` of a table. */
static inline uint8x16_t places(uint32x4_t index) {
    return vreinterpretq_u8_u32(vaddq_u32(vmulq_n_u32(index, 0x04040404), vdupq_n_u32(0x03020100)));
}
static inline F16 lookup16(F16 a, const float* table) {
    const uint8_t* t = (const uint8_t*)table;
    uint8x16x4_t bytes = {{vld1q_u8(t), vld1q_u8(t + 16), vld1q_u8(t + 32), vld1q_u8(t + 48)}};
    EACH(vreinterpretq_f32_u8(vqtbl4q_u8(bytes, places(vandq_u32(vreinterpretq_u32_f32(a.v[i]), vdupq_n_u32(15))))));
}
static inline F16 power_of_two(F16 a, const uint32_t* powers) {
    uint8x16_t table = vreinterpretq_u8_u32(vld1q_u32(powers));
    F16 r;
    for (int i = 0; i < 4; i++) {
        uint32x4_t u = vreinterpretq_u32_f32(a.v[i]);
        uint32x4_t base = vreinterpretq_u32_u8(vqtbl1q_u8(table, places(vandq_u32(u, vdupq_n_u32(3)))));
        r.v[i] = vreinterpretq_f32_u32(vaddq_u32(base, vshlq_n_u32(u, 21)));
    }
    return r;
}
static inline uint16x8_t words_of(float32x4_t a, float32x4_t b) {
    return vcombine_u16(vmovn_u32(vreinterpretq_u32_f32(a)), vmovn_u32(vreinterpretq_u32_f32(b)));
}
static inline void store_bytes(uint8_t* p, F16 a) {
    vst1q_u8(p, vcombine_u8(vmovn_u16(words_of(a.v[0], a.v[1])), vmovn_u16(words_of(a.v[2], a.v[3]))));
}
static inline void store_bytes64(uint8_t* p, F16 a, F16 b, F16 c, F16 d) {
    store_bytes(p, a); store_bytes(p + 16, b); store_bytes(p + 32, c); store_bytes(p + 48, d);
}
static inline void store_planes64(uint8_t* high, uint8_t* low, const F16* a, uint8_t flip) {
    const uint8x16_t f = vdupq_n_u8(flip);
    for (int i = 0; i < 4; i++) {
        uint16x8_t p = words_of(a[i].v[0], a[i].v[1]), q = words_of(a[i].v[2], a[i].v[3]);
        vst1q_u8(high + 16 * i, veorq_u8(f, vcombine_u8(vshrn_n_u16(p, 8), vshrn_n_u16(q, 8))));
        vst1q_u8(low + 16 * i, veorq_u8(f, vcombine_u8(vmovn_u16(p), vmovn_u16(q))));
    }
}
static constexpr int value_line(int line) { return line; }

static inline float sum_of(F16 a) {
    float32x4_t x = vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
    float32x2_t y = vadd_f32(vget_low_f32(x), vget_high_f32(x));
    return vget_lane_f32(y, 0) + vget_lane_f32(y, 1);
}
static inline float largest_of(F16 a) { return vmaxvq_f32(vmaxq_f32(vmaxq_f32(a.v[0], a.v[2]), vmaxq_f32(a.v[1], a.v[3]))); }

/** 16 bytes of four rows, the four of each column side by side. */
static inline void interleave(const int8_t* a, const int8_t* b, const int8_t* c, const int8_t* d, int8_t* to) {
    int8x16x4_t rows = {{vld1q_s8(a), vld1q_s8(b), vld1q_s8(c), vld1q_s8(d)}};
    vst4q_s8(to, rows);
}

