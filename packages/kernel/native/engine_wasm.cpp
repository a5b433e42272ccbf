#define ENGINE_NAME "wasm-simd"
#define ENGINE_SYMBOL engine_wasm
#define ENGINE_OBSTACLE obstacle_wasm
#include "pass_begin.h"
#include "lanes_wasm.h"
#include "product_wasm.h"
#include "pass_end.h"
