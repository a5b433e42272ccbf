// What the WebAssembly module exports. The caller lays out the memory behind `__heap_base`; addresses are 64-byte aligned.
#include "engine.h"

#define EXPORT(name) extern "C" __attribute__((export_name(#name)))

extern "C" unsigned char __heap_base;   // set by the linker

/** Where memory starts that the caller lays out. */
EXPORT(first_address) const unsigned char* export_first_address() { return &__heap_base; }
/** Bytes of the packed image of a weights file, or 0 when its header is bad. */
EXPORT(packed_bytes) size_t export_packed_bytes(const Header* header) { return check_header(*header) == OK ? packed_bytes(*header) : 0; }
EXPORT(pack) int export_pack(const uint8_t* file, size_t bytes, uint8_t* packed, size_t capacity) { return pack_weights(file, bytes, packed, capacity); }
/** 0 when the image is bad. `engine` is 0 for SIMD, 1 for plain. */
EXPORT(scratch_bytes) size_t export_scratch_bytes(int engine, const uint8_t* packed, size_t bytes, size_t rows, size_t longest) {
    Model model;
    if (engine < 0 || engine >= ENGINE_COUNT || rows > MAX_BATCH_TOKENS || longest > MAX_TOKENS || open_model(packed, bytes, model) != OK) return 0;
    return ENGINES[engine].scratch_bytes(model, rows, longest);
}
EXPORT(embed) int export_embed(int engine, const uint8_t* packed, size_t bytes, const int32_t* ids, size_t id_count, const int32_t* lengths, size_t texts, float* out,
                               size_t out_count, uint8_t* scratch, size_t scratch_size) {
    if (engine < 0 || engine >= ENGINE_COUNT) return BAD_INSTRUCTION_SET;
    return embed_batch(ENGINES[engine], packed, bytes, ids, id_count, lengths, texts, out, out_count, scratch, scratch_size, nullptr);
}
