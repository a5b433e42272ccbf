// What this processor and system can run, and the one entry for a batch, which checks all that a caller may get wrong.
#include "engine.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

extern const Engine engine_plain;
extern const char* obstacle_plain();
const char* obstacle_plain() { return nullptr; }

#if defined(__x86_64__)
extern const Engine engine_amx, engine_avx512vnni, engine_avxvnni, engine_avx2;
extern const char *obstacle_amx(), *obstacle_avx512vnni(), *obstacle_avxvnni(), *obstacle_avx2();

namespace {
struct Cpu { uint32_t c1 = 0, b7 = 0, c7 = 0, d7 = 0, a71 = 0; uint64_t enabled = 0; };
Cpu cpu() {
    Cpu r;
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return r;
    r.c1 = c;
    if (c & (1u << 27)) {   // the system says which registers it saves
        unsigned low, high;
        __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        r.enabled = low | (uint64_t)high << 32;
    }
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return r;
    r.b7 = b; r.c7 = c; r.d7 = d;
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) r.a71 = a;
    return r;
}
bool has(uint32_t word, int bit) { return (word >> bit & 1) != 0; }
/** Asks Linux for the tile registers, which a process does not have unasked. */
bool grant_tiles() {
#if defined(__linux__)
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(158L /* arch_prctl */), "D"(0x1023L /* ARCH_REQ_XCOMP_PERM */), "S"(18L /* XTILEDATA */) : "rcx", "r11", "memory");
    return result == 0;
#else
    return false;
#endif
}
}  // namespace

const char* obstacle_avx2() {
    Cpu c = cpu();
    if (!has(c.b7, 5)) return "the processor has no AVX2";
    return (c.enabled & 6) == 6 ? nullptr : "the system does not enable AVX registers";
}
const char* obstacle_avxvnni() {
    if (const char* why = obstacle_avx2()) return why;
    return has(cpu().a71, 4) ? nullptr : "the processor has no AVX-VNNI";
}
const char* obstacle_avx512vnni() {
    if (const char* why = obstacle_avx2()) return why;
    Cpu c = cpu();
    if (!has(c.b7, 16) || !has(c.b7, 17) || !has(c.b7, 30) || !has(c.b7, 31) || !has(c.c7, 11)) return "the processor has no AVX-512 with VNNI";
    return (c.enabled & 0xE6) == 0xE6 ? nullptr : "the system does not enable AVX-512 registers";
}
const char* obstacle_amx() {
    if (const char* why = obstacle_avx512vnni()) return why;
    Cpu c = cpu();
    if (!has(c.d7, 24) || !has(c.d7, 25)) return "the processor has no AMX for 8-bit integers";
    if ((c.enabled & 0x60000) != 0x60000) return "the system does not enable AMX registers";
    return grant_tiles() ? nullptr : "the system does not grant AMX registers to this process";
}
const Engine ENGINES[] = {engine_amx, engine_avx512vnni, engine_avxvnni, engine_avx2, engine_plain};
#elif defined(__aarch64__)
extern const Engine engine_neondotprod;
extern const char* obstacle_neondotprod();
#if defined(__APPLE__)
const char* obstacle_neondotprod() { return nullptr; }   // every Mac with an Arm processor has it
#else
extern "C" __attribute__((weak)) unsigned long getauxval(unsigned long type);
const char* obstacle_neondotprod() {
    if (!getauxval) return "the system does not tell the processor's features";
    return (getauxval(16 /* AT_HWCAP */) >> 20 & 1) != 0 ? nullptr : "the processor has no 8-bit dot product";
}
#endif
const Engine ENGINES[] = {engine_neondotprod, engine_plain};
#elif defined(__wasm__)
extern const Engine engine_wasm;
extern const char* obstacle_wasm();
const char* obstacle_wasm() { return nullptr; }   // the module would not have compiled
const Engine ENGINES[] = {engine_wasm, engine_plain};
#else
const Engine ENGINES[] = {engine_plain};
#endif
const int ENGINE_COUNT = sizeof ENGINES / sizeof ENGINES[0];

Status embed_batch(const Engine& engine, const uint8_t* packed, size_t packed_size, const int32_t* ids, size_t id_count, const int32_t* lengths, size_t texts,
                   float* out, size_t out_count, uint8_t* scratch, size_t scratch_size, uint64_t* ticks) {
    Model model;
    if (Status status = open_model(packed, packed_size, model)) return status;
    if (id_count > MAX_BATCH_TOKENS || texts > id_count) return BAD_TEXT_LENGTH;
    size_t rows = 0, longest = 0;
    for (size_t i = 0; i < texts; i++) {
        if (lengths[i] < 1 || (uint32_t)lengths[i] > model.max_tokens) return BAD_TEXT_LENGTH;
        rows += (size_t)lengths[i];
        if ((size_t)lengths[i] > longest) longest = (size_t)lengths[i];
    }
    if (rows != id_count) return BAD_TEXT_LENGTH;
    for (size_t i = 0; i < id_count; i++)
        if ((uint32_t)ids[i] >= model.h.vocabulary) return BAD_TOKEN;
    if (out_count < texts * model.h.hidden) return BAD_BUFFER;
    if ((uintptr_t)scratch % 64 != 0 || scratch_size < engine.scratch_bytes(model, rows, longest)) return BAD_BUFFER;
    if (texts == 0) return OK;
    return engine.run(model, ids, lengths, (uint32_t)texts, rows, longest, out, scratch, ticks);
}
