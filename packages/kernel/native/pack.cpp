// Checks a weights file, which may be damaged or forged, and packs its matrices into the panels that every kernel reads.
#include "model.h"
#include "sections.h"
#include "freestanding.h"

namespace {

bool finite(const float* values, size_t n) {
    bool all = true;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, 4);
        all &= (bits & 0x7F800000) != 0x7F800000;
    }
    return all;
}

Status copy_floats(const float* from, const float* to, size_t n) {
    if (!finite(from, n)) return BAD_FLOAT;
    memcpy(const_cast<float*>(to), from, n * 4);
    return OK;
}

/** [depth][columns] to [columns / 16][depth / 4][16][4], with the sums of the columns. */
Status pack_product(const Product& from, const Product& to) {
    int8_t* panels = const_cast<int8_t*>(to.panels);
    int32_t* zero = const_cast<int32_t*>(to.zero);
    uint32_t depth = from.depth, columns = from.columns;
    memset(zero, 0, (size_t)columns * 4);
    bool in_range = true;
    for (uint32_t k = 0; k < depth; k++) {
        const int8_t* row = from.panels + (size_t)k * columns;
        for (uint32_t n = 0; n < columns; n++) {
            int32_t w = row[n];
            in_range &= (uint32_t)(w + (int32_t)WEIGHT_LIMIT) <= 2 * WEIGHT_LIMIT;
            zero[n] += 128 * w;
            panels[((size_t)(n / 16) * (depth / 4) + k / 4) * 64 + (n % 16) * 4 + k % 4] = (int8_t)w;
        }
    }
    if (!in_range) return BAD_WEIGHT;
    Status status = copy_floats(from.scale, to.scale, columns);
    return status != OK ? status : copy_floats(from.bias, to.bias, columns);
}

Status pack_start(const Header& h, const Model& from, const Model& to) {
    memcpy(const_cast<int8_t*>(to.words), from.words, (size_t)h.vocabulary * h.hidden);
    const struct { const float *from, *to; size_t n; } floats[] = {
        {from.word_scale, to.word_scale, h.vocabulary},
        {from.positions, to.positions, (size_t)h.positions * h.hidden},
        {from.norm_weight, to.norm_weight, h.hidden},
        {from.norm_bias, to.norm_bias, h.hidden},
    };
    for (auto& f : floats)
        if (Status status = copy_floats(f.from, f.to, f.n)) return status;
    return OK;
}

Status pack_layer(const Header& h, const Layer& from, const Layer& to) {
    const struct { const float *from, *to; } floats[] = {
        {from.smooth_attention, to.smooth_attention}, {from.smooth_feed, to.smooth_feed},
        {from.norm1_weight, to.norm1_weight},         {from.norm1_bias, to.norm1_bias},
        {from.norm2_weight, to.norm2_weight},         {from.norm2_bias, to.norm2_bias},
    };
    for (auto& f : floats)
        if (Status status = copy_floats(f.from, f.to, h.hidden)) return status;
    const struct { const Product &from, &to; } products[] = {
        {from.qkv, to.qkv}, {from.out, to.out}, {from.up, to.up}, {from.down, to.down}};
    for (auto& p : products)
        if (Status status = pack_product(p.from, p.to)) return status;
    return OK;
}

}  // namespace

Status pack_weights(const uint8_t* file, size_t file_bytes, uint8_t* packed, size_t capacity) {
    Header h;
    if (file_bytes < sizeof h) return BAD_LENGTH;
    memcpy(&h, file, sizeof h);
    if (Status status = check_header(h)) return status;
    if (h.file_bytes != file_bytes || weights_bytes(h) != file_bytes) return BAD_LENGTH;
    if ((uintptr_t)packed % 64 != 0 || (uintptr_t)file % 4 != 0 || capacity < packed_bytes(h)) return BAD_BUFFER;
    memcpy(packed, &h, sizeof h);
    Sections from{file, sizeof h, false}, to{packed, sizeof h, true};
    Model from_start, to_start;
    from.start(h, from_start);
    to.start(h, to_start);
    if (Status status = pack_start(h, from_start, to_start)) return status;
    for (uint32_t l = 0; l < h.layers; l++) {
        Layer from_layer, to_layer;
        from.layer(h, from_layer);
        to.layer(h, to_layer);
        if (Status status = pack_layer(h, from_layer, to_layer)) return status;
    }
    return OK;
}
