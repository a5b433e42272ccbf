// What every engine_*.cpp starts with. Up to pass_end.h everything has internal linkage: files compiled for different
// instruction sets must not share a function.
#pragma once
#include "engine.h"
#include "freestanding.h"
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#elif defined(__wasm__)
#include <wasm_simd128.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif
namespace {
#include "constants.h"
#include "scratch.h"
