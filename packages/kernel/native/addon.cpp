// The Node addon: functions over typed arrays, without state of their own. Nothing is copied; the caller owns all memory.
// Each returns a number: a size, or a Status.
#include "engine.h"
#include "node_api_subset.h"

namespace {

struct Arguments {
    napi_env env;
    napi_value values[8];
    size_t count = 8;
    Arguments(napi_env env, napi_callback_info info) : env(env) {
        if (napi_get_cb_info(env, info, &count, values, nullptr, nullptr) != napi_ok) count = 0;
    }
    /** False when there is no such argument, or it is an array of another type. */
    template <class T> bool array(size_t index, napi_typedarray_type type, T*& data, size_t& length) const {
        napi_typedarray_type found;
        void* bytes;
        if (index >= count || napi_get_typedarray_info(env, values[index], &found, &length, &bytes, nullptr, nullptr) != napi_ok || found != type) return false;
        data = (T*)bytes;
        return true;
    }
    bool number(size_t index, uint32_t& n) const { return index < count && napi_get_value_uint32(env, values[index], &n) == napi_ok; }
    napi_value result(double n) const {
        napi_value value = nullptr;
        napi_create_double(env, n, &value);
        return value;
    }
};

/** misalignment(array): bytes to the first address that is a multiple of 64, which weights and scratch memory must start at. */
napi_value misalignment(napi_env env, napi_callback_info info) {
    Arguments a(env, info);
    uint8_t* data;
    size_t length;
    return a.result(a.array(0, napi_uint8_array, data, length) ? (double)((64 - (uintptr_t)data % 64) % 64) : 0);
}

/** Whether this machine runs an engine. Asked once: virtual machines take long to answer. */
bool usable(uint32_t engine) {
    enum : uint8_t { UNKNOWN, YES, NO };
    static uint8_t known[8];
    if (engine >= (uint32_t)ENGINE_COUNT) return false;
    uint8_t answer = __atomic_load_n(&known[engine], __ATOMIC_RELAXED);
    if (answer == UNKNOWN) {
        answer = ENGINES[engine].obstacle() ? NO : YES;
        __atomic_store_n(&known[engine], answer, __ATOMIC_RELAXED);
    }
    return answer == YES;
}

/** packedBytes(weights): bytes for pack(), or 0 when the header is bad. */
napi_value packed_bytes_of(napi_env env, napi_callback_info info) {
    Arguments a(env, info);
    uint8_t* file;
    size_t bytes;
    Header h;
    if (!a.array(0, napi_uint8_array, file, bytes) || bytes < sizeof h) return a.result(0);
    __builtin_memcpy(&h, file, sizeof h);
    return a.result(check_header(h) == OK ? (double)packed_bytes(h) : 0);
}

/** pack(weights, packed): a Status. */
napi_value pack(napi_env env, napi_callback_info info) {
    Arguments a(env, info);
    uint8_t *file, *packed;
    size_t bytes, capacity;
    if (!a.array(0, napi_uint8_array, file, bytes) || !a.array(1, napi_uint8_array, packed, capacity)) return a.result(BAD_BUFFER);
    return a.result(pack_weights(file, bytes, packed, capacity));
}

/** scratchBytes(engine, packed, rows, longest): bytes for embed(), or 0 when an argument is bad. */
napi_value scratch_bytes_of(napi_env env, napi_callback_info info) {
    Arguments a(env, info);
    uint32_t engine, rows, longest;
    uint8_t* packed;
    size_t bytes;
    Model model;
    if (!a.number(0, engine) || !a.array(1, napi_uint8_array, packed, bytes) || !a.number(2, rows) || !a.number(3, longest)) return a.result(0);
    if (engine >= (uint32_t)ENGINE_COUNT || rows > MAX_BATCH_TOKENS || longest > MAX_TOKENS || open_model(packed, bytes, model) != OK) return a.result(0);
    return a.result((double)ENGINES[engine].scratch_bytes(model, rows, longest));
}

/** embed(engine, packed, ids, lengths, out, scratch, ticks?): a Status. `ticks`: a Float64Array that times are added to. */
napi_value embed(napi_env env, napi_callback_info info) {
    Arguments a(env, info);
    uint32_t engine;
    uint8_t *packed, *scratch;
    int32_t *ids, *lengths;
    float* out;
    double* times;
    size_t packed_size, id_count, texts, out_count, scratch_size, parts;
    bool typed = a.number(0, engine) && a.array(1, napi_uint8_array, packed, packed_size) && a.array(2, napi_int32_array, ids, id_count) &&
                 a.array(3, napi_int32_array, lengths, texts) && a.array(4, napi_float32_array, out, out_count) && a.array(5, napi_uint8_array, scratch, scratch_size);
    if (!typed) return a.result(BAD_BUFFER);
    if (!usable(engine)) return a.result(BAD_INSTRUCTION_SET);
    uint64_t ticks[PART_COUNT] = {};
    bool timed = a.array(6, napi_float64_array, times, parts) && parts >= (size_t)PART_COUNT;
    Status status = embed_batch(ENGINES[engine], packed, packed_size, ids, id_count, lengths, texts, out, out_count, scratch, scratch_size, timed ? ticks : nullptr);
    if (timed)
        for (int i = 0; i < PART_COUNT; i++) times[i] += (double)ticks[i];
    return a.result(status);
}

/** peak(engine): multiply-adds per tick of the processor's counter that the product reaches in the first-level cache. */
napi_value peak(napi_env env, napi_callback_info info) {
    Arguments a(env, info);
    uint32_t engine;
    if (!a.number(0, engine) || !usable(engine)) return a.result(0);
    double best = 0;
    for (int i = 0; i < 50; i++) {
        double ticks = (double)ENGINES[engine].measure_product(64), rate = 64.0 * MEASURED_ROWS * MEASURED_DEPTH * 32 / ticks;
        if (ticks > 0 && rate > best) best = rate;
    }
    return a.result(best);
}

/** engines(): [name, obstacle or null] by turns, fastest first. */
napi_value engines(napi_env env, napi_callback_info) {
    napi_value array = nullptr;
    napi_create_array(env, &array);
    for (int i = 0; i < ENGINE_COUNT; i++) {
        napi_value name = nullptr, why = nullptr;
        const char* obstacle = ENGINES[i].obstacle();
        napi_create_string_utf8(env, ENGINES[i].name, NAPI_AUTO_LENGTH, &name);
        if (obstacle) napi_create_string_utf8(env, obstacle, NAPI_AUTO_LENGTH, &why);
        else napi_get_null(env, &why);
        napi_set_element(env, array, 2 * i, name);
        napi_set_element(env, array, 2 * i + 1, why);
    }
    return array;
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))
EXPORT int32_t node_api_module_get_api_version_v1() { return 8; }
EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
    const struct { const char* name; napi_callback call; } functions[] = {
        {"engines", engines}, {"misalignment", misalignment}, {"packedBytes", packed_bytes_of}, {"pack", pack}, {"scratchBytes", scratch_bytes_of}, {"embed", embed}, {"peak", peak}};
    for (auto& f : functions) {
        napi_value function = nullptr;
        napi_create_function(env, f.name, NAPI_AUTO_LENGTH, f.call, nullptr, &function);
        napi_set_named_property(env, exports, f.name, function);
    }
    return exports;
}
