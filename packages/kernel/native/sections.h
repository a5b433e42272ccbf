// The order of the sections, told once for the weights file and for the packed image (which has the column sums besides).
#pragma once
#include "model.h"

struct Sections {
    const uint8_t* base;   // null when only the size is wanted
    size_t at;
    bool packed;

    const uint8_t* take(size_t bytes) {
        const uint8_t* p = base ? base + at : nullptr;
        at += (bytes + 63) & ~(size_t)63;
        return p;
    }
    const float* floats(size_t n) { return (const float*)take(n * 4); }

    Product product(uint32_t depth, uint32_t columns) {
        Product p{depth, columns, (const int8_t*)take((size_t)depth * columns), nullptr, nullptr, nullptr};
        if (packed) p.zero = (const int32_t*)take((size_t)columns * 4);
        p.scale = floats(columns);
        p.bias = floats(columns);
        return p;
    }
    void start(const Header& h, Model& m) {
        m.words = (const int8_t*)take((size_t)h.vocabulary * h.hidden);
        m.word_scale = floats(h.vocabulary);
        m.positions = floats((size_t)h.positions * h.hidden);
        m.norm_weight = floats(h.hidden);
        m.norm_bias = floats(h.hidden);
    }
    void layer(const Header& h, Layer& y) {
        y.smooth_attention = floats(h.hidden);
        y.qkv = product(h.hidden, 3 * h.hidden);
        y.out = product(h.hidden, h.hidden);
        y.norm1_weight = floats(h.hidden);
        y.norm1_bias = floats(h.hidden);
        y.smooth_feed = floats(h.hidden);
        y.up = product(h.hidden, h.intermediate);
        y.down = product(h.intermediate, h.hidden);
        y.norm2_weight = floats(h.hidden);
        y.norm2_bias = floats(h.hidden);
    }
};
