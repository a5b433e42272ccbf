// Finds the sections of a packed image. Everything follows from the sizes in the header, which are checked first.
#include "model.h"
#include "sections.h"
#include "freestanding.h"

namespace {
bool between(uint32_t x, uint32_t low, uint32_t high) { return x >= low && x <= high; }
bool multiple(uint32_t x, uint32_t of) { return x % of == 0; }
}  // namespace

Status check_header(const Header& h) {
    if (h.magic != MAGIC || h.format_version != FORMAT_VERSION || h.arithmetic_version != ARITHMETIC_VERSION) return BAD_HEADER;
    bool sizes = between(h.family, 1, 3) && between(h.layers, 1, 64) && between(h.hidden, 64, 4096) && multiple(h.hidden, 64) &&
                 between(h.heads, 1, 128) && multiple(h.hidden, h.heads) && between(h.intermediate, 64, 16384) &&
                 multiple(h.intermediate, 64) && between(h.vocabulary, 1, 1 << 20) && between(h.positions, 1, 1 << 16) &&
                 h.position_offset < h.positions && h.pooling <= POOL_CLS && h.activation <= 1 && h.reserved0 == 0;
    if (!sizes) return BAD_HEADER;
    uint32_t head = h.hidden / h.heads;
    if (!multiple(head, 32) || head > 128) return BAD_HEADER;
    if (!(h.norm_epsilon > 0 && h.norm_epsilon < 1) || !(h.activation_shift >= 0.17f && h.activation_shift <= 1)) return BAD_HEADER;
    for (uint32_t zero : h.reserved) if (zero != 0) return BAD_HEADER;
    return OK;
}

static size_t bytes_of(const Header& h, bool packed) {
    Sections s{nullptr, sizeof(Header), packed};
    Model m;
    s.start(h, m);
    Layer layer;
    for (uint32_t l = 0; l < h.layers; l++) s.layer(h, layer);
    return s.at;
}

size_t weights_bytes(const Header& h) { return bytes_of(h, false); }

size_t packed_bytes(const Header& h) { return bytes_of(h, true); }

Status open_model(const uint8_t* packed, size_t bytes, Model& model) {
    if (bytes < sizeof(Header) || (uintptr_t)packed % 64 != 0) return BAD_BUFFER;
    memcpy(&model.h, packed, sizeof(Header));   // read once: the memory may be shared
    Status status = check_header(model.h);
    if (status != OK) return status;
    if (bytes < packed_bytes(model.h)) return BAD_BUFFER;
    Sections s{packed, sizeof(Header), true};
    s.start(model.h, model);
    model.layers = packed + s.at;
    size_t before = s.at;
    Layer layer;
    s.layer(model.h, layer);
    model.layer_bytes = s.at - before;
    model.head_size = model.h.hidden / model.h.heads;
    uint32_t most = model.h.positions - model.h.position_offset;
    model.max_tokens = most < MAX_TOKENS ? most : MAX_TOKENS;
    return OK;
}

Layer layer_of(const Model& model, uint32_t index) {
    Sections s{model.layers, index * model.layer_bytes, true};
    Layer layer;
    s.layer(model.h, layer);
    return layer;
}
