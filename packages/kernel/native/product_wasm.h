// Blocks of an 8-bit product with relaxed_dot_i8x16_i7x16_add_s: a signed byte times one of 0..127. In that range all engines give
// the exact sum. Weights of -64..63 are lifted into it by 64, and 64 becomes 127 with the missing 1 added afterwards.
#pragma once

constexpr int BLOCK_ROWS = 32;
constexpr int SIGNED_OFFSET = 0;
constexpr uint8_t UNSIGNED_FLIP = 128;    // unsigned rows are kept 128 lower, and 128 times the sum of the column is added

static inline void enter_products() {}
static inline void leave_products() {}
static inline void enter_keys() {}
static inline void leave_keys() {}

/** A panel of 16 columns, at most CHUNK deep, lifted by 64. */
struct LiftedPanel {
    static constexpr int CHUNK = 1024;
    alignas(16) uint8_t lines[CHUNK * 16];
    uint16_t full[CHUNK / 4];   // lines that hold a weight of 64
    int full_count;
    void lift(const int8_t* panel, int depth) {
        const v128_t by = wasm_i8x16_splat(64);
        full_count = 0;
        for (int line = 0; line < depth / 4; line++) {
            v128_t any = wasm_i8x16_splat(0);
            for (int j = 0; j < 64; j += 16) {
                v128_t lifted = wasm_i8x16_add(wasm_v128_load(panel + line * 64 + j), by);
                v128_t over = wasm_i8x16_shr(lifted, 7);   // -1 for 128
                any = wasm_v128_or(any, over);
                wasm_v128_store(lines + line * 64 + j, wasm_i8x16_add(lifted, over));
            }
            if (wasm_v128_any_true(any)) full[full_count++] = (uint16_t)line;
        }
    }
};

/** -64 times the sum of a row, which takes the lift back. */
static inline int32_t drop_of(const uint8_t* row, int depth) {
    v128_t sum = wasm_i32x4_splat(0);
    const v128_t one = wasm_i8x16_splat(1);
    for (int k = 0; k < depth; k += 16) sum = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(wasm_v128_load(row + k), one, sum);
    return -64 * (wasm_i32x4_extract_lane(sum, 0) + wasm_i32x4_extract_lane(sum, 1) + wasm_i32x4_extract_lane(sum, 2) + wasm_i32x4_extract_lane(sum, 3));
}

/** Adds R rows times a panel of which `depth` is lifted. `panel` is what it was made of. */
template <int R>
static inline void add_strip(const uint8_t* A, size_t lda, const LiftedPanel& lifted, const int8_t* panel, int depth, int32_t* C, size_t ldc) {
    v128_t c[R][4];
    for (int r = 0; r < R; r++)
        for (int j = 0; j < 4; j++) c[r][j] = wasm_v128_load(C + r * ldc + 4 * j);
    const uint8_t* b = lifted.lines;
    for (int k = 0; k < depth; k += 4, b += 64) {
        v128_t a[R];
        for (int r = 0; r < R; r++) a[r] = wasm_v128_load32_splat(A + r * lda + k);
        for (int j = 0; j < 4; j++) {
            v128_t w = wasm_v128_load(b + 16 * j);
            for (int r = 0; r < R; r++) c[r][j] = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(a[r], w, c[r][j]);
        }
    }
    const v128_t one = wasm_i8x16_splat(1), full = wasm_i8x16_splat(64);
    for (int i = 0; i < lifted.full_count; i++) {
        int line = lifted.full[i];
        for (int j = 0; j < 4; j++) {
            v128_t w = wasm_v128_and(wasm_i8x16_eq(wasm_v128_load(panel + line * 64 + 16 * j), full), one);
            for (int r = 0; r < R; r++) c[r][j] = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(wasm_v128_load32_splat(A + r * lda + 4 * line), w, c[r][j]);
        }
    }
    for (int r = 0; r < R; r++)
        for (int j = 0; j < 4; j++) wasm_v128_store(C + r * ldc + 4 * j, c[r][j]);
}

template <bool SIGNED>
static inline void block(const uint8_t* A, size_t lda, int rows, const int8_t* B0, const int8_t* B1, int depth, const int32_t* Z0, const int32_t* Z1, int32_t* C, size_t ldc) {
    LiftedPanel lifted;
    for (int r = 0; r < rows; r++) {
        v128_t drop = wasm_i32x4_splat(drop_of(A + r * lda, depth)), none = wasm_i32x4_splat(0);
        for (int j = 0; j < 16; j += 4) {
            wasm_v128_store(C + r * ldc + j, wasm_i32x4_add(drop, SIGNED ? none : wasm_v128_load(Z0 + j)));
            wasm_v128_store(C + r * ldc + 16 + j, wasm_i32x4_add(drop, SIGNED ? none : wasm_v128_load(Z1 + j)));
        }
    }
    for (int half = 0; half < 2; half++)
        for (int k = 0; k < depth; k += LiftedPanel::CHUNK) {
            const int8_t* panel = (half ? B1 : B0) + k * 16;
            int chunk = depth - k < LiftedPanel::CHUNK ? depth - k : LiftedPanel::CHUNK, r = 0;
            lifted.lift(panel, chunk);
            for (; r + 2 <= rows; r += 2) add_strip<2>(A + r * lda + k, lda, lifted, panel, chunk, C + r * ldc + 16 * half, ldc);
            if (r < rows) add_strip<1>(A + r * lda + k, lda, lifted, panel, chunk, C + r * ldc + 16 * half, ldc);
        }
}
static inline void key_block(const uint8_t* A, size_t lda, int rows, const int8_t* B0, const int8_t* B1, int depth, const int32_t* Z0, const int32_t* Z1, int32_t* C, size_t ldc) {
    block<true>(A, lda, rows, B0, B1, depth, Z0, Z1, C, ldc);
}
