// Attention of one head of one text, in integers: queries, keys and values are 8 bits with a scale per token and head, the
// probabilities (times the scale of their value) 16 bits in two planes. Both products are exact sums.
#pragma once

/** Queries, keys and values of a batch, as the first product of a layer leaves them. Rows are `hidden` apart. */
struct Heads {
    uint8_t* queries;
    int8_t *keys, *values;
    float *query_scales, *key_scales, *value_scales;   // [heads][stride]
    int32_t* key_zeros;                                // [heads][stride]: 128 times the sum of a key
    size_t stride;
};

/** Buffers for one head of one text. */
struct AttentionScratch {
    int8_t *keys, *values;
    int32_t *scores, *high_sums, *low_sums, *key_zeros, *value_zeros;
    uint8_t *high, *low;
    float *key_scales, *value_scales;
    void carve(Scratch& s, size_t longest, size_t head_size) {
        size_t n = round_up(longest, 64);
        keys = s.take<int8_t>(n * head_size);
        values = s.take<int8_t>(n * head_size);
        scores = s.take<int32_t>(BLOCK_ROWS * n);
        high = s.take<uint8_t>(BLOCK_ROWS * n);
        low = s.take<uint8_t>(BLOCK_ROWS * n);
        high_sums = s.take<int32_t>(BLOCK_ROWS * head_size);
        low_sums = s.take<int32_t>(BLOCK_ROWS * head_size);
        key_scales = s.take<float>(n);
        value_scales = s.take<float>(n);
        key_zeros = s.take<int32_t>(n);
        value_zeros = s.take<int32_t>(head_size);
    }
};

/** Keys as columns: panels [n / 16][head size / 4][16][4], zero past the last. */
static void pack_keys(const int8_t* keys, size_t hidden, size_t tokens, size_t padded, size_t head_size, int8_t* panels) {
    for (size_t j = 0; j < padded; j++) {
        int8_t* to = panels + j / 16 * head_size * 16 + j % 16 * 4;
        for (size_t d = 0; d < head_size; d += 4, to += 64) {
            int32_t word = 0;
            if (j < tokens) memcpy(&word, keys + j * hidden + d, 4);
            memcpy(to, &word, 4);
        }
    }
}

/** Values as rows of a product: panels [head size / 16][n / 4][16][4] in the key order of store_planes64(), zero past the last. */
static void pack_values(const int8_t* values, size_t hidden, size_t tokens, size_t padded, size_t head_size, int8_t* panels) {
    alignas(64) static const int8_t none[128] = {};
    for (size_t line = 0; line < padded / 4; line++) {
        size_t key = line / 16 * 64 + (size_t)value_line((int)(line % 16)) * 4;
        const int8_t* rows[4];
        for (size_t i = 0; i < 4; i++) rows[i] = key + i < tokens ? values + (key + i) * hidden : none;
        for (size_t d = 0; d < head_size; d += 16) interleave(rows[0] + d, rows[1] + d, rows[2] + d, rows[3] + d, panels + (d * padded + line * 64));
    }
}

/** Scales of keys and values, the latter so that probabilities times them fill 16 bits. Returns what undoes that. */
static float copy_scales(const Heads& h, size_t at, size_t tokens, size_t padded, const AttentionScratch& s) {
    float top = 0;
    for (size_t j = 0; j < tokens; j++) {
        s.key_scales[j] = h.key_scales[at + j];
        s.key_zeros[j] = h.key_zeros[at + j];
        float scale = h.value_scales[at + j];
        top = scale > top ? scale : top;
    }
    for (size_t j = tokens; j < padded; j++) { s.key_scales[j] = s.value_scales[j] = 0; s.key_zeros[j] = 0; }
    float factor = PROBABILITY_LEVELS / top;
    for (size_t j = 0; j < tokens; j++) s.value_scales[j] = h.value_scales[at + j] * factor;
    return factor;
}

static void sum_values(const int8_t* values, size_t hidden, size_t tokens, size_t head_size, int32_t* zeros) {
    for (size_t d = 0; d < head_size; d++) zeros[d] = 0;
    for (size_t j = 0; j < tokens; j++)
        for (size_t d = 0; d < head_size; d++) zeros[d] += 128 * values[j * hidden + d];
}

/** Scores to floats in place; returns the largest. Lanes past the last key become -1e30. */
static inline F16 scale_scores(int32_t* scores, const float* key_scales, float query_scale, size_t tokens) {
    float* x = (float*)scores;
    F16 q = all(query_scale), top = all(-1e30f);
    size_t j = 0;
    for (; j + 16 <= tokens; j += 16) {
        F16 y = from_int32(scores + j) * (q * load(key_scales + j));
        store(x + j, y);
        top = larger(top, y);
    }
    if (j < tokens) {
        store(x + j, from_int32(scores + j) * (q * load(key_scales + j)));
        for (size_t e = tokens; e < j + 16; e++) memcpy(scores + e, &MINUS_LARGE, 4);
        top = larger(top, load(x + j));
    }
    return all(largest_of(top));
}

/** Softmax of one row: the probabilities times the scales of the values in two planes; returns their plain sum. */
static inline float softmax_row(int32_t* scores, const AttentionScratch& s, float query_scale, size_t tokens, size_t padded, uint8_t* high, uint8_t* low) {
    F16 top = scale_scores(scores, s.key_scales, query_scale, tokens), sum = all(0);
    const float* x = (const float*)scores;
    for (size_t j = 0; j < padded; j += 64) {
        F16 bits[4];
        for (size_t i = 0; i < 4; i++) {
            size_t at = j + 16 * i;
            F16 p = all(0);
            if (at < tokens) {
                p = exp2_of(load(x + at) - top);
                if (at + 16 > tokens) p = p * load(KEEP + 16 - (tokens - at));
                sum = sum + p;
            }
            bits[i] = p * load(s.value_scales + at) + all(ROUND_1);
        }
        store_planes64(high + j, low + j, bits, UNSIGNED_FLIP);
    }
    return sum_of(sum);
}

static void attend(const Heads& h, size_t head, size_t row, size_t tokens, size_t hidden, size_t head_size, float* context, const AttentionScratch& s, Ticks& ticks) {
    size_t padded = round_up(tokens, 64), columns = round_up(tokens, 32), offset = row * hidden + head * head_size, at = head * h.stride + row;
    pack_keys(h.keys + offset, hidden, tokens, columns, head_size, s.keys);
    pack_values(h.values + offset, hidden, tokens, padded, head_size, s.values);
    if (UNSIGNED_FLIP) sum_values(h.values + offset, hidden, tokens, head_size, s.value_zeros);
    float factor = copy_scales(h, at, tokens, padded, s);
    ticks.lap(ATTENTION_PACK);
    for (size_t i = 0; i < tokens; i += BLOCK_ROWS) {
        int rows = (int)(tokens - i < (size_t)BLOCK_ROWS ? tokens - i : (size_t)BLOCK_ROWS);
        enter_keys();
        for (size_t j = 0; j < columns; j += 32)
            key_block(h.queries + offset + i * hidden, hidden, rows, s.keys + j * head_size, s.keys + (j + 16) * head_size, (int)head_size, s.key_zeros + j,
                      s.key_zeros + j + 16, s.scores + j, padded);
        leave_keys();
        ticks.lap(ATTENTION_SCORES);
        float inverse[BLOCK_ROWS];
        for (size_t r = 0; r < (size_t)rows; r++)
            inverse[r] = 1.f / (softmax_row(s.scores + r * padded, s, h.query_scales[at + i + r], tokens, padded, s.high + r * padded, s.low + r * padded) * factor);
        ticks.lap(ATTENTION_SOFTMAX);
        for (size_t d = 0; d < head_size; d += 32) {
            const int8_t *v0 = s.values + d * padded, *v1 = v0 + 16 * padded;
            block<false>(s.high, padded, rows, v0, v1, (int)padded, s.value_zeros + d, s.value_zeros + d + 16, s.high_sums + d, head_size);
            block<false>(s.low, padded, rows, v0, v1, (int)padded, s.value_zeros + d, s.value_zeros + d + 16, s.low_sums + d, head_size);
        }
        for (size_t r = 0; r < (size_t)rows; r++)
            for (size_t d = 0; d < head_size; d += 16)
                store(context + (i + r) * hidden + d, from_planes(s.high_sums + r * head_size + d, s.low_sums + r * head_size + d) * all(inverse[r]));
        ticks.lap(ATTENTION_VALUES);
    }
}
