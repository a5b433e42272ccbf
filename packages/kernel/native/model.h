// The weights as a packed image in memory: one header, then sections, all found by computation from the header.
// See ../ARITHMETIC.md for the meaning of every number.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum Status {
    OK = 0,
    BAD_HEADER = 1,       // not a weights file, another version, or sizes that the kernels do not take
    BAD_LENGTH = 2,       // the file's length is not the one that its sizes give
    BAD_WEIGHT = 3,       // an 8-bit weight outside -64..64
    BAD_FLOAT = 4,        // a number that is not finite
    BAD_BUFFER = 5,       // a buffer is too small or not aligned
    BAD_TOKEN = 6,        // a token id outside the vocabulary
    BAD_TEXT_LENGTH = 7,  // a text of no token or of too many, or lengths that do not add up to the ids
    BAD_INSTRUCTION_SET = 8,
    BAD_RESULT = 9,       // a vector that is not finite: the weights are nonsense
};

constexpr uint32_t MAGIC = 0x4B424D45, FORMAT_VERSION = 1, ARITHMETIC_VERSION = 1;
constexpr uint32_t MAX_TOKENS = 512;           // of one text; 65,535 * 63 * 512 stays below 2^31
constexpr uint32_t MAX_BATCH_TOKENS = 1 << 16;
constexpr uint32_t WEIGHT_LIMIT = 64;
enum Pooling { POOL_MEAN = 0, POOL_CLS = 1 };

/** 128 bytes at the start of the weights file, and of the packed image. Little-endian. */
struct Header {
    uint32_t magic, format_version, arithmetic_version, family;
    uint32_t layers, hidden, heads, intermediate;
    uint32_t vocabulary, positions, position_offset, pooling;
    float norm_epsilon, activation_shift;
    uint32_t activation, reserved0;
    uint64_t file_bytes;
    uint32_t reserved[6];
    uint8_t sha256[32];
};
static_assert(sizeof(Header) == 128, "the header has no gaps");

/** y = x W: x 8-bit rows of `depth`, W 8-bit in panels [columns / 16][depth / 4][16][4]. */
struct Product {
    uint32_t depth, columns;
    const int8_t* panels;
    const int32_t* zero;   // [columns]: 128 times the sum of the column
    const float *scale, *bias;
};

struct Layer {
    const float* smooth_attention;
    Product qkv, out;
    const float *norm1_weight, *norm1_bias, *smooth_feed;
    Product up, down;
    const float *norm2_weight, *norm2_bias;
};

/** A checked header and where the sections of a packed image lie. Points into the image, owns nothing. */
struct Model {
    Header h;
    uint32_t head_size, max_tokens;
    const int8_t* words;
    const float *word_scale, *positions, *norm_weight, *norm_bias;
    const uint8_t* layers;
    size_t layer_bytes;
};

Status check_header(const Header& h);
/** Bytes of a weights file and of a packed image with these sizes. The header must have been checked. */
size_t weights_bytes(const Header& h);
size_t packed_bytes(const Header& h);
/** Checks a whole weights file and packs it. `packed` is 64-byte aligned and holds packed_bytes(). */
Status pack_weights(const uint8_t* file, size_t file_bytes, uint8_t* packed, size_t capacity);
/** Reads the header of a packed image and finds its sections. */
Status open_model(const uint8_t* packed, size_t bytes, Model& model);
Layer layer_of(const Model& model, uint32_t index);
