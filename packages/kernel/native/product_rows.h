// What the instruction sets without tiles have in common: a block is cut into strips of the rows that fit in registers.
// Before this file, each defines BLOCK_ROWS (a multiple of STRIP), STRIP, and strip<SIGNED, R>().
#pragma once

static inline void enter_products() {}
static inline void leave_products() {}
static inline void enter_keys() {}
static inline void leave_keys() {}

template <bool SIGNED, int R>
static inline void rest(const uint8_t* A, size_t lda, int rows, const int8_t* B0, const int8_t* B1, int depth, const int32_t* Z0, const int32_t* Z1, int32_t* C, size_t ldc) {
    if constexpr (R > 0) {
        if (rows == R) strip<SIGNED, R>(A, lda, B0, B1, depth, Z0, Z1, C, ldc);
        else rest<SIGNED, R - 1>(A, lda, rows, B0, B1, depth, Z0, Z1, C, ldc);
    }
}
template <bool SIGNED>
static inline void block(const uint8_t* A, size_t lda, int rows, const int8_t* B0, const int8_t* B1, int depth, const int32_t* Z0, const int32_t* Z1, int32_t* C, size_t ldc) {
    for (; rows >= STRIP; rows -= STRIP, A += STRIP * lda, C += STRIP * ldc) strip<SIGNED, STRIP>(A, lda, B0, B1, depth, Z0, Z1, C, ldc);
    rest<SIGNED, STRIP - 1>(A, lda, rows, B0, B1, depth, Z0, Z1, C, ldc);
}
static inline void key_block(const uint8_t* A, size_t lda, int rows, const int8_t* B0, const int8_t* B1, int depth, const int32_t* Z0, const int32_t* Z1, int32_t* C, size_t ldc) {
    block<true>(A, lda, rows, B0, B1, depth, Z0, Z1, C, ldc);
}
