// Blocks of an 8-bit product on Intel's tile unit: up to 32 rows by 32 columns in four tiles of sums.
#pragma once

constexpr int BLOCK_ROWS = 32;
constexpr int SIGNED_OFFSET = 0;          // the unit multiplies signed by signed, so rows around zero stay as they are
constexpr uint8_t UNSIGNED_FLIP = 0;

struct alignas(64) TileShapes { uint8_t palette = 1, start_row = 0, reserved[14] = {}; uint16_t bytes[16] = {}; uint8_t rows[16] = {}; };

/** Tiles 0 to 3 hold sums, 4 and 5 rows, 6 and 7 columns; `depth` is what one step multiplies, 64 or 32. */
static inline void load_shapes(int depth) {
    TileShapes shapes;
    for (int i = 0; i < 8; i++) {
        shapes.bytes[i] = (uint16_t)(i == 4 || i == 5 ? depth : 64);
        shapes.rows[i] = (uint8_t)(i >= 6 ? depth / 4 : 16);
    }
    _tile_loadconfig(&shapes);
}
static inline void enter_products() { load_shapes(64); }
static inline void leave_products() { _tile_release(); }
static inline void enter_keys() { load_shapes(32); }
static inline void leave_keys() { load_shapes(64); }

#define MULTIPLY(sums, rows, columns) do { if (SIGNED) _tile_dpbssd(sums, rows, columns); else _tile_dpbusd(sums, rows, columns); } while (0)

template <bool SIGNED, int STEP>
static inline void tiles(const uint8_t* A, size_t lda, int rows, const int8_t* B0, const int8_t* B1, int depth, int32_t* C, size_t ldc) {
    _tile_zero(0); _tile_zero(1);
    if (rows > 16) {
        _tile_zero(2); _tile_zero(3);
        for (int k = 0; k < depth; k += STEP) {
            _tile_loadd(6, B0 + k * 16, 64);
            _tile_loadd(4, A + k, lda);
            MULTIPLY(0, 4, 6);
            _tile_loadd(7, B1 + k * 16, 64);
            MULTIPLY(1, 4, 7);
            _tile_loadd(5, A + 16 * lda + k, lda);
            MULTIPLY(2, 5, 6);
            MULTIPLY(3, 5, 7);
        }
        _tile_stored(2, C + 16 * ldc, ldc * 4); _tile_stored(3, C + 16 * ldc + 16, ldc * 4);
    } else {
        for (int k = 0; k < depth; k += STEP) {
            _tile_loadd(4, A + k, lda);
            _tile_loadd(6, B0 + k * 16, 64);
            _tile_loadd(7, B1 + k * 16, 64);
            MULTIPLY(0, 4, 6);
            MULTIPLY(1, 4, 7);
        }
    }
    _tile_stored(0, C, ldc * 4); _tile_stored(1, C + 16, ldc * 4);
}
#undef MULTIPLY

template <bool SIGNED>
static inline void block(const uint8_t* A, size_t lda, int rows, const int8_t* B0, const int8_t* B1, int depth, const int32_t*, const int32_t*, int32_t* C, size_t ldc) {
    tiles<SIGNED, 64>(A, lda, rows, B0, B1, depth, C, ldc);
}
static inline void key_block(const uint8_t* A, size_t lda, int rows, const int8_t* B0, const int8_t* B1, int depth, const int32_t*, const int32_t*, int32_t* C, size_t ldc) {
    tiles<true, 32>(A, lda, rows, B0, B1, depth, C, ldc);
}
