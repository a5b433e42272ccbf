// The forward pass. Each instruction set compiles it once, in its own namespace, over its lanes and its product.
#pragma once

/** Rows that go through the feed-forward part together, so that their numbers stay in the second-level cache. */
constexpr size_t ROWS = 96;

struct Buffers {
    float *x, *context, *row_scales;
    uint8_t* quantized;
    Heads heads;
    float *sums, *gelus, *block_scales;
    uint8_t *block_bytes, *gelu_bytes;
    F16* gelu_tops;
    AttentionScratch attention;
    void carve(Scratch& s, const Model& m, size_t rows, size_t longest) {
        size_t hidden = m.h.hidden, n = rows + 32, block = ROWS + 32;   // a tile may read, and never uses, rows past the end
        x = s.take<float>(n * hidden);
        context = s.take<float>(n * hidden);
        row_scales = s.take<float>(n);
        quantized = s.take<uint8_t>(n * hidden);
        heads.queries = s.take<uint8_t>(n * hidden);
        heads.keys = s.take<int8_t>(n * hidden);
        heads.values = s.take<int8_t>(n * hidden);
        heads.stride = n;
        heads.query_scales = s.take<float>(n * m.h.heads);
        heads.key_scales = s.take<float>(n * m.h.heads);
        heads.value_scales = s.take<float>(n * m.h.heads);
        heads.key_zeros = s.take<int32_t>(n * m.h.heads);
        sums = s.take<float>(block * hidden);
        gelus = s.take<float>(block * m.h.intermediate);
        block_scales = s.take<float>(block);
        block_bytes = s.take<uint8_t>(block * hidden);
        gelu_bytes = s.take<uint8_t>(block * m.h.intermediate);
        gelu_tops = s.take<F16>(block);
        attention.carve(s, longest, m.head_size);
    }
};

/** Multiplies rows by all columns, `GROUP` of them at a time. The epilogue of a group runs after the next one has been issued:
 *  its sums have reached memory by then, and the vector work of one overlaps with the tile work of the other. */
template <int GROUP, bool SIGNED, class Epilogue>
static inline void product(const uint8_t* rows, size_t count, const Product& w, Epilogue&& epilogue) {
    alignas(64) int32_t sums[2][BLOCK_ROWS * GROUP];
    size_t last_row = 0, last_rows = 0, last_column = 0;
    int which = 0;
    for (size_t n = 0; n < w.columns; n += GROUP)
        for (size_t m = 0; m < count; m += BLOCK_ROWS, which ^= 1) {
            size_t taken = count - m < (size_t)BLOCK_ROWS ? count - m : (size_t)BLOCK_ROWS;
            for (size_t c = 0; c < (size_t)GROUP; c += 32) {
                const int8_t* panel = w.panels + (n + c) * w.depth;
                const int32_t* zero = w.zero + n + c;
                block<SIGNED>(rows + m * w.depth, w.depth, (int)taken, panel, panel + 16 * (size_t)w.depth, (int)w.depth, zero, zero + 16, sums[which] + c, GROUP);
            }
            if (last_rows) epilogue(last_row, last_rows, last_column, sums[which ^ 1]);
            last_row = m; last_rows = taken; last_column = n;
        }
    epilogue(last_row, last_rows, last_column, sums[which ^ 1]);
}

/** Queries, keys and values of `count` rows from `first` on, quantized per head. */
template <int D>
static void project(const Model& m, const Layer& y, const Buffers& b, size_t first, size_t count) {
    const size_t hidden = m.h.hidden;
    const float query_factor = (float)(LOG2_E / __builtin_sqrt((double)D));
    product<D, true>(b.quantized + first * hidden, count, y.qkv, [&](size_t row, size_t rows, size_t n, const int32_t* sums) {
        size_t part = n / hidden, column = n % hidden, head = column / D;
        F16 scale[D / 16], bias[D / 16];
        for (int i = 0; i < D / 16; i++) { scale[i] = load(y.qkv.scale + n + 16 * i); bias[i] = load(y.qkv.bias + n + 16 * i); }
        for (size_t r = 0; r < rows; r++, sums += D) {
            size_t at = first + row + r;
            F16 s = all(b.row_scales[at]), v[D / 16], top = all(0);
            for (int i = 0; i < D / 16; i++) {
                v[i] = from_int32(sums + 16 * i) * scale[i] * s + bias[i];
                top = larger(top, magnitude(v[i]));
            }
            float one = largest_of(top) * (part == 0 ? INVERSE_127 : INVERSE_63) + TINY;
            F16 inverse = all(1.f / one), shift = byte_shift(part == 0 ? SIGNED_OFFSET : 0);
            uint8_t* q = (part == 0 ? b.heads.queries : (uint8_t*)(part == 1 ? b.heads.keys : b.heads.values)) + at * hidden + column;
            for (int i = 0; i < D / 16; i++) store_bytes(q + 16 * i, v[i] * inverse + shift);
            (part == 0 ? b.heads.query_scales : part == 1 ? b.heads.key_scales : b.heads.value_scales)[head * b.heads.stride + at] = part == 0 ? one * query_factor : one;
            if (SIGNED_OFFSET && part == 1) {
                int32_t total = 0;
                for (int d = 0; d < D; d++) total += (int8_t)q[d];
                b.heads.key_zeros[head * b.heads.stride + at] = 128 * total;
            }
        }
    });
}

static void project(const Model& m, const Layer& y, const Buffers& b, size_t first, size_t count) {
    switch (m.head_size) {
    case 32: return project<32>(m, y, b, first, count);
    case 64: return project<64>(m, y, b, first, count);
    case 96: return project<96>(m, y, b, first, count);
    default: return project<128>(m, y, b, first, count);
    }
}

/** sums = residual + rows W, for rows quantized with `scales`. */
template <bool SIGNED>
static void add_product(const uint8_t* rows, const float* scales, size_t count, const Product& w, const float* residual, float* sums) {
    product<32, SIGNED>(rows, count, w, [&](size_t row, size_t taken, size_t n, const int32_t* c) {
        for (size_t half = 0; half < 32; half += 16) {
            F16 scale = load(w.scale + n + half), bias = load(w.bias + n + half);
            for (size_t r = 0; r < taken; r++) {
                size_t at = (row + r) * w.columns + n + half;
                store(sums + at, from_int32(c + r * 32 + half) * scale * all(scales[row + r]) + bias + load(residual + at));
            }
        }
    });
}

/** The first feed-forward product with GELU, then its result as bytes. */
static void feed_up(const Model& m, const Product& w, const Buffers& b, size_t first, size_t count, Ticks& ticks) {
    const float(*table)[16] = m.h.activation == 0 ? GELU_ERF : GELU_TANH;
    const size_t width = w.columns;
    for (size_t r = 0; r < count; r++) b.gelu_tops[r] = all(0);
    product<32, true>(b.quantized + first * w.depth, count, w, [&](size_t row, size_t taken, size_t n, const int32_t* c) {
        F16 scale0 = load(w.scale + n), scale1 = load(w.scale + n + 16), bias0 = load(w.bias + n), bias1 = load(w.bias + n + 16);
        for (size_t r = 0; r < taken; r++, c += 32) {
            F16 s = all(b.row_scales[first + row + r]);
            F16 v0 = gelu(from_int32(c) * scale0 * s + bias0, table), v1 = gelu(from_int32(c + 16) * scale1 * s + bias1, table);
            float* g = b.gelus + (row + r) * width + n;
            store(g, v0); store(g + 16, v1);
            b.gelu_tops[row + r] = larger(b.gelu_tops[row + r], larger(v0, v1));
        }
    });
    ticks.lap(UP_PRODUCT_GELU);
    const F16 lift = all(m.h.activation_shift), shift = byte_shift(UNSIGNED_FLIP);
    for (size_t r = 0; r < count; r++) {
        float scale = (largest_of(b.gelu_tops[r]) + m.h.activation_shift) * INVERSE_255;
        F16 inverse = all(1.f / scale);
        const float* g = b.gelus + r * width;
        for (size_t i = 0; i < width; i += 64) {
            F16 v[4];
            for (int j = 0; j < 4; j++) v[j] = (load(g + i + 16 * j) + lift) * inverse + shift;
            store_bytes64(b.gelu_bytes + r * width + i, v[0], v[1], v[2], v[3]);
        }
        b.block_scales[r] = scale;
    }
    ticks.lap(GELU_QUANTIZE);
}

/** Everything of a layer behind attention, for `count` rows from `first` on. `next` smooths the next layer's input; null at the end. */
static void feed_forward(const Model& m, const Layer& y, const float* next, const Buffers& b, size_t first, size_t count, Ticks& ticks) {
    const size_t hidden = m.h.hidden;
    float* x = b.x + first * hidden;
    for (size_t r = 0; r < count; r++) b.block_scales[r] = quantize_row(b.context + (first + r) * hidden, hidden, b.block_bytes + r * hidden);
    ticks.lap(CONTEXT_QUANTIZE);
    add_product<true>(b.block_bytes, b.block_scales, count, y.out, x, b.sums);
    ticks.lap(OUT_PRODUCT);
    for (size_t r = 0; r < count; r++)
        b.row_scales[first + r] = norm_row(b.sums + r * hidden, hidden, y.norm1_weight, y.norm1_bias, m.h.norm_epsilon, x + r * hidden, y.smooth_feed, b.quantized + (first + r) * hidden);
    ticks.lap(NORM_1);
    feed_up(m, y.up, b, first, count, ticks);
    add_product<false>(b.gelu_bytes, b.block_scales, count, y.down, x, b.sums);
    ticks.lap(DOWN_PRODUCT);
    for (size_t r = 0; r < count; r++)
        b.row_scales[first + r] = norm_row(b.sums + r * hidden, hidden, y.norm2_weight, y.norm2_bias, m.h.norm_epsilon, x + r * hidden, next, b.quantized + (first + r) * hidden);
    ticks.lap(NORM_2);
}

static void embed_words(const Model& m, const Buffers& b, const int32_t* ids, const int32_t* lengths, uint32_t texts, const float* smooth) {
    const size_t hidden = m.h.hidden;
    size_t row = 0;
    for (uint32_t text = 0; text < texts; text++)
        for (size_t t = 0; t < (size_t)lengths[text]; t++, row++) {
            const int8_t* word = m.words + (size_t)ids[row] * hidden;
            const float* position = m.positions + (m.h.position_offset + t) * hidden;
            F16 scale = all(m.word_scale[ids[row]]);
            for (size_t i = 0; i < hidden; i += 16) store(b.sums + i, from_int8(word + i) * scale + load(position + i));
            b.row_scales[row] = norm_row(b.sums, hidden, m.norm_weight, m.norm_bias, m.h.norm_epsilon, b.x + row * hidden, smooth, b.quantized + row * hidden);
        }
}

static size_t scratch_bytes(const Model& m, size_t rows, size_t longest) {
    Scratch s{nullptr, 0};
    Buffers b;
    b.carve(s, m, rows, longest);
    return s.used;
}

/** `ids` and `lengths` have been checked, and `scratch` holds scratch_bytes(). */
static Status run(const Model& m, const int32_t* ids, const int32_t* lengths, uint32_t texts, size_t rows, size_t longest, float* out, uint8_t* scratch, uint64_t* tick_sums) {
    Scratch s{scratch, 0};
    Buffers b;
    b.carve(s, m, rows, longest);
    Ticks ticks(tick_sums);
    const size_t hidden = m.h.hidden;
    enter_products();
    Layer y = layer_of(m, 0);
    embed_words(m, b, ids, lengths, texts, y.smooth_attention);
    ticks.lap(EMBEDDING);
    for (uint32_t l = 0; l < m.h.layers; l++) {
        for (size_t first = 0; first < rows; first += ROWS) project(m, y, b, first, rows - first < ROWS ? rows - first : ROWS);
        ticks.lap(QKV_PRODUCT);
        size_t row = 0;
        for (uint32_t text = 0; text < texts; row += (size_t)lengths[text++])
            for (size_t head = 0; head < m.h.heads; head++)
                attend(b.heads, head, row, (size_t)lengths[text], hidden, m.head_size, b.context + row * hidden + head * m.head_size, b.attention, ticks);
        Layer after = l + 1 < m.h.layers ? layer_of(m, l + 1) : y;
        for (size_t first = 0; first < rows; first += ROWS)
            feed_forward(m, y, l + 1 < m.h.layers ? after.smooth_attention : nullptr, b, first, rows - first < ROWS ? rows - first : ROWS, ticks);
        y = after;
    }
    leave_products();
    bool finite = true;
    size_t row = 0;
    for (uint32_t text = 0; text < texts; row += (size_t)lengths[text++]) finite &= pool(b.x + row * hidden, hidden, (uint32_t)lengths[text], m.h.pooling, out + text * hidden);
    ticks.lap(POOL);
    return finite ? OK : BAD_RESULT;
}

/** What the product can do when nothing else slows it down; for benchmarks. */
static uint64_t measure_product(uint32_t repeats) {
    alignas(64) uint8_t rows[MEASURED_ROWS * MEASURED_DEPTH];
    alignas(64) int8_t panels[32 * MEASURED_DEPTH];
    alignas(64) int32_t zero[32], sums[BLOCK_ROWS * 32];
    memset(rows, 1, sizeof rows);
    memset(panels, 1, sizeof panels);
    memset(zero, 0, sizeof zero);
    enter_products();
    uint64_t start = ticks_now();
    for (uint32_t i = 0; i < repeats; i++) {
        __asm__ volatile("" : : "r"(rows), "r"(panels), "r"(sums) : "memory");   // every repeat is a product of its own
        for (int r = 0; r + BLOCK_ROWS <= MEASURED_ROWS; r += BLOCK_ROWS)
            block<true>(rows + r * MEASURED_DEPTH, MEASURED_DEPTH, BLOCK_ROWS, panels, panels + 16 * MEASURED_DEPTH, MEASURED_DEPTH, zero, zero + 16, sums, 32);
    }
    uint64_t ticks = ticks_now() - start;
    leave_products();
    return ticks;
}
