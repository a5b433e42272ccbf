// What is done to whole rows: quantizing, LayerNorm, pooling.
#pragma once

static inline F16 byte_shift(int offset) { return all(ROUND_1 + (float)offset); }

/** Symmetric 8 bits of a row whose largest magnitudes, lane by lane, are `top`; returns its scale. */
static inline float quantize_below(F16 top, const float* y, size_t n, uint8_t* q) {
    float scale = largest_of(top) * INVERSE_127 + TINY;
    F16 inverse = all(1.f / scale), shift = byte_shift(SIGNED_OFFSET);
    for (size_t i = 0; i < n; i += 64) {
        F16 b[4];
        for (int j = 0; j < 4; j++) b[j] = load(y + i + 16 * j) * inverse + shift;
        store_bytes64(q + i, b[0], b[1], b[2], b[3]);
    }
    return scale;
}

/** Symmetric 8 bits of one row; returns its scale. */
static inline float quantize_row(const float* y, size_t n, uint8_t* q) {
    F16 top = magnitude(load(y));
    for (size_t i = 16; i < n; i += 16) top = larger(top, magnitude(load(y + i)));
    return quantize_below(top, y, n, q);
}

/** LayerNorm of a row to `x`, then the quantized input of the next product. Without `smooth` none follows. Overwrites `t`. */
static inline float norm_row(float* t, size_t n, const float* weight, const float* bias, float epsilon, float* x, const float* smooth, uint8_t* q) {
    const float share = 1.f / (float)n;
    F16 even = load(t), odd = load(t + 16);
    for (size_t i = 32; i < n; i += 32) { even = even + load(t + i); odd = odd + load(t + i + 16); }
    F16 mean = all(sum_of(even + odd) * share);
    even = odd = all(0);
    for (size_t i = 0; i < n; i += 32) {
        F16 a = load(t + i) - mean, b = load(t + i + 16) - mean;
        store(t + i, a); store(t + i + 16, b);
        even = even + a * a; odd = odd + b * b;
    }
    F16 r = all(1.f / __builtin_sqrtf(sum_of(even + odd) * share + epsilon)), top = all(0);
    for (size_t i = 0; i < n; i += 16) {
        F16 y = load(t + i) * r * load(weight + i) + load(bias + i);
        store(x + i, y);
        if (!smooth) continue;
        y = y * load(smooth + i);
        store(t + i, y);
        top = larger(top, magnitude(y));
    }
    if (!smooth) return 0;
    return quantize_below(top, t, n, q);
}

/** The unit vector of a text whose states lie in `x`, `n` numbers a token. False when it is not finite. */
static inline bool pool(const float* x, size_t n, uint32_t tokens, uint32_t pooling, float* out) {
    uint32_t rows = pooling == POOL_CLS ? 1 : tokens;
    F16 share = all(1.f / (float)rows), squares = all(0);
    for (size_t i = 0; i < n; i += 16) {
        F16 sum = load(x + i);
        for (uint32_t r = 1; r < rows; r++) sum = sum + load(x + r * n + i);
        sum = sum * share;
        store(out + i, sum);
        squares = squares + sum * sum;
    }
    float square = sum_of(squares);
    if (!(square < INFINITE)) return false;
    float length = __builtin_sqrtf(square);
    F16 inverse = all(1.f / (length > 1e-12f ? length : 1e-12f));
    for (size_t i = 0; i < n; i += 16) store(out + i, load(out + i) * inverse);
    return true;
}
