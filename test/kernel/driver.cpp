// Runs the kernel outside Node: under sanitizers, and compiled for other processors under qemu. See main.ts.
//   driver hash WEIGHTS CASES ENGINE   a checksum of the vectors of random batches, the same for every engine and machine
//   driver fuzz WEIGHTS CASES          wrong calls and damaged weights, with every engine that this machine runs
#include "../../packages/kernel/native/engine.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

struct Random {
    uint64_t state;
    uint32_t next() {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (uint32_t)(state >> 33);
    }
    uint32_t below(uint32_t n) { return next() % n; }
    bool one_in(uint32_t n) { return below(n) == 0; }
};

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::exit(1);
}

/** Memory of exactly so many bytes from a multiple of 64 on: a sanitizer sees one byte too many. */
struct Exact {
    std::unique_ptr<uint8_t, void (*)(void*)> owner{nullptr, std::free};
    uint8_t* data = nullptr;
    explicit Exact(size_t bytes) {
        void* memory = nullptr;
        if (posix_memalign(&memory, 64, bytes > 0 ? bytes : 1) != 0) fail("out of memory");
        owner.reset((uint8_t*)memory);
        data = owner.get();
    }
};

std::vector<uint8_t> read_file(const char* path) {
    FILE* file = std::fopen(path, "rb");
    if (!file) fail(std::string("cannot open ") + path);
    std::vector<uint8_t> bytes;
    uint8_t buffer[65536];
    for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;) bytes.insert(bytes.end(), buffer, buffer + n);
    std::fclose(file);
    return bytes;
}

struct Batch {
    std::vector<int32_t> ids, lengths;
    size_t longest = 0;
    void add(Random& random, uint32_t length, uint32_t vocabulary) {
        for (uint32_t i = 0; i < length; i++) ids.push_back((int32_t)random.below(vocabulary));
        lengths.push_back((int32_t)length);
        if (length > longest) longest = length;
    }
};

/** Mostly short texts, sometimes long ones, with the sizes around which kernels err. */
uint32_t random_length(Random& random, uint32_t most) {
    static const uint32_t edges[] = {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129};
    uint32_t length = random.one_in(2) ? edges[random.below(14)] : 1 + random.below(random.one_in(8) ? most : 40);
    return length < most ? length : most;
}

struct Packed {
    Exact image;
    size_t bytes;
    Model model;
    explicit Packed(const std::vector<uint8_t>& file) : image(0), bytes(0) {
        Header header;
        if (file.size() < sizeof header) fail("the weights file is cut off");
        std::memcpy(&header, file.data(), sizeof header);
        if (check_header(header) != OK) fail("the weights file has a bad header");
        bytes = packed_bytes(header);
        image = Exact(bytes);
        if (pack_weights(file.data(), file.size(), image.data, bytes) != OK || open_model(image.data, bytes, model) != OK) fail("the weights file is bad");
    }
};

Status run(const Engine& engine, const Packed& packed, const Batch& batch, float* out, size_t out_count) {
    size_t bytes = engine.scratch_bytes(packed.model, batch.ids.size(), batch.longest);
    Exact scratch(bytes);
    return embed_batch(engine, packed.image.data, packed.bytes, batch.ids.data(), batch.ids.size(), batch.lengths.data(), batch.lengths.size(), out, out_count,
                       scratch.data, bytes, nullptr);
}

const Engine* find_engine(const std::string& name) {
    for (int i = 0; i < ENGINE_COUNT; i++)
        if (name == ENGINES[i].name) return &ENGINES[i];
    return nullptr;
}

int hash(const char* path, int cases, const char* name) {
    const Engine* engine = find_engine(name);
    if (!engine) fail(std::string("no engine ") + name);
    if (const char* why = engine->obstacle()) {
        std::printf("unusable: %s\n", why);
        return 0;
    }
    Packed packed(read_file(path));
    Random random{1};
    uint64_t sum = 14695981039346656037u;
    for (int i = 0; i < cases; i++) {
        Batch batch;
        for (uint32_t texts = 1 + random.below(6); texts > 0; texts--) batch.add(random, random_length(random, packed.model.max_tokens), packed.model.h.vocabulary);
        std::vector<float> out(batch.lengths.size() * packed.model.h.hidden);
        if (run(*engine, packed, batch, out.data(), out.size()) != OK) fail("a good batch was refused");
        const uint8_t* bytes = (const uint8_t*)out.data();
        for (size_t b = 0; b < out.size() * 4; b++) sum = (sum ^ bytes[b]) * 1099511628211u;
    }
    std::printf("%016llx\n", (unsigned long long)sum);
    return 0;
}

/** A good batch, or one with something wrong. Every vector of a good one must have length 1. */
void fuzz_call(const Engine& engine, const Packed& packed, Random& random) {
    Batch batch;
    const uint32_t vocabulary = packed.model.h.vocabulary, most = packed.model.max_tokens;
    for (uint32_t texts = random.below(5); texts > 0; texts--) batch.add(random, random_length(random, most), vocabulary);
    std::vector<float> out(batch.lengths.size() * packed.model.h.hidden);
    size_t out_count = out.size();
    Status wanted = OK;
    if (!batch.ids.empty() && random.one_in(2)) {
        size_t id = random.below((uint32_t)batch.ids.size()), text = random.below((uint32_t)batch.lengths.size());
        switch (random.below(6)) {
        case 0: batch.ids[id] = (int32_t)(vocabulary + random.below(9)); wanted = BAD_TOKEN; break;
        case 1: batch.ids[id] = -1 - (int32_t)random.below(1u << 30); wanted = BAD_TOKEN; break;
        case 2: batch.lengths[text] = random.one_in(2) ? 0 : -(int32_t)random.next(); wanted = BAD_TEXT_LENGTH; break;
        case 3: batch.lengths[text] = (int32_t)(most + 1 + random.below(1000)); wanted = BAD_TEXT_LENGTH; break;
        case 4: batch.ids.pop_back(); wanted = BAD_TEXT_LENGTH; break;
        default: out_count--; wanted = BAD_BUFFER;
        }
    }
    Status found = run(engine, packed, batch, out.data(), out_count);
    if (found != wanted) fail(std::string(engine.name) + " answered " + std::to_string(found) + " instead of " + std::to_string(wanted));
    if (found != OK) return;
    for (size_t text = 0; text < batch.lengths.size(); text++) {
        double squares = 0;
        for (size_t i = 0; i < packed.model.h.hidden; i++) squares += (double)out[text * packed.model.h.hidden + i] * out[text * packed.model.h.hidden + i];
        if (!(squares > 0.999 && squares < 1.001)) fail("a vector has not length 1");
    }
}

/** Damages weights anywhere, mostly in the header. What packs all the same must run without harm. */
void fuzz_weights(const std::vector<uint8_t>& good, Random& random) {
    size_t bytes = random.one_in(4) ? random.below((uint32_t)good.size() + 1) : good.size();
    Exact file(bytes);
    std::memcpy(file.data, good.data(), bytes);
    for (uint32_t changes = 1 + random.below(4); changes > 0 && bytes > 0; changes--) {
        size_t at = random.below((uint32_t)(random.one_in(3) ? bytes : bytes < 128 ? bytes : 128));
        file.data[at] = random.one_in(2) ? (uint8_t)random.next() : (uint8_t)(file.data[at] ^ 1u << random.below(8));
    }
    Header header;
    if (bytes < sizeof header) return;
    std::memcpy(&header, file.data, sizeof header);
    if (check_header(header) != OK || packed_bytes(header) > 8u << 20) return;
    size_t capacity = packed_bytes(header);
    Exact image(capacity);
    if (pack_weights(file.data, bytes, image.data, capacity) != OK) return;
    Model model;
    if (open_model(image.data, capacity, model) != OK) fail("what was packed cannot be opened");
    Batch batch;
    batch.add(random, random_length(random, model.max_tokens), model.h.vocabulary);
    for (int i = 0; i < ENGINE_COUNT; i++) {
        if (ENGINES[i].obstacle()) continue;
        size_t scratch_bytes = ENGINES[i].scratch_bytes(model, batch.ids.size(), batch.longest);
        Exact scratch(scratch_bytes);
        std::vector<float> out(model.h.hidden);
        embed_batch(ENGINES[i], image.data, capacity, batch.ids.data(), batch.ids.size(), batch.lengths.data(), 1, out.data(), out.size(), scratch.data, scratch_bytes, nullptr);
    }
}

int fuzz(const char* path, int cases) {
    std::vector<uint8_t> file = read_file(path);
    Packed packed(file);
    Random random{2};
    int done = 0;
    for (; done < cases; done++) {
        if (random.one_in(3)) fuzz_weights(file, random);
        else {
            const Engine& engine = ENGINES[random.below((uint32_t)ENGINE_COUNT)];
            if (!engine.obstacle()) fuzz_call(engine, packed, random);
        }
    }
    std::printf("%d cases\n", done);
    return 0;
}

}  // namespace

int main(int count, char** values) {
    std::string what = count > 1 ? values[1] : "";
    if (what == "hash" && count == 5) return hash(values[2], std::atoi(values[3]), values[4]);
    if (what == "fuzz" && count == 4) return fuzz(values[2], std::atoi(values[3]));
    fail("usage: driver hash WEIGHTS CASES ENGINE | fuzz WEIGHTS CASES");
}
