// One instruction set's pass, as dispatch.cpp sees it.
#pragma once
#include "model.h"

struct Engine {
    const char* name;
    /** Null when this processor and system can run it, else the reason why not. */
    const char* (*obstacle)();
    size_t (*scratch_bytes)(const Model& model, size_t rows, size_t longest);
    Status (*run)(const Model& model, const int32_t* ids, const int32_t* lengths, uint32_t texts, size_t rows, size_t longest, float* out, uint8_t* scratch, uint64_t* ticks);
    /** Ticks of the processor's counter for `repeats` products of MEASURED_ROWS by MEASURED_DEPTH by 32, all in the first-level cache. */
    uint64_t (*measure_product)(uint32_t repeats);
};
constexpr int MEASURED_ROWS = 96, MEASURED_DEPTH = 128;

/** Fastest first, `plain` last. */
extern const Engine ENGINES[];
extern const int ENGINE_COUNT;
/** Parts of the pass whose times are told apart; see scratch.h. */
constexpr int PART_COUNT = 14;

/** Checks everything that a caller may get wrong and runs one batch. `ticks` is null or holds PARTS sums. */
Status embed_batch(const Engine& engine, const uint8_t* packed, size_t packed_size, const int32_t* ids, size_t id_count, const int32_t* lengths, size_t texts,
                   float* out, size_t out_count, uint8_t* scratch, size_t scratch_size, uint64_t* ticks);
