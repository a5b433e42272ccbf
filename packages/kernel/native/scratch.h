// Scratch memory: the same code finds the buffers and their total size, so that neither is counted by hand.
#pragma once

static inline size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

struct Scratch {
    uint8_t* base;   // 64-byte aligned; null when only the size is wanted
    size_t used;
    template <class T> T* take(size_t n) {
        size_t at = used, bytes = n * sizeof(T);
        used += round_up(bytes, 64) + GAP;
        if (base == nullptr) return nullptr;
#if defined(__SANITIZE_ADDRESS__)
        ASAN_UNPOISON_MEMORY_REGION(base + at, bytes);
        ASAN_POISON_MEMORY_REGION(base + at + bytes, used - at - bytes);
#endif
        return (T*)(base + at);
    }
    // Buffers of a power of two apart would fall into the same lines of a cache.
    static constexpr size_t GAP = 128;
};

enum Part { EMBEDDING, QKV_PRODUCT, ATTENTION_PACK, ATTENTION_SCORES, ATTENTION_SOFTMAX, ATTENTION_VALUES, CONTEXT_QUANTIZE, OUT_PRODUCT, NORM_1, UP_PRODUCT_GELU, GELU_QUANTIZE, DOWN_PRODUCT, NORM_2, POOL, PARTS };
static_assert(PARTS == PART_COUNT, "the addon adds up as many");

#if defined(__x86_64__)
static inline uint64_t ticks_now() { return __rdtsc(); }
#else
static inline uint64_t ticks_now() { return 0; }
#endif

/** Adds up the time of each part where someone wants to know. */
struct Ticks {
    uint64_t *sums, last;
    explicit Ticks(uint64_t* sums) : sums(sums), last(sums ? ticks_now() : 0) {}
    void lap(Part part) {
        if (!sums) return;
        uint64_t now = ticks_now();
        sums[part] += now - last;
        last = now;
    }
};
