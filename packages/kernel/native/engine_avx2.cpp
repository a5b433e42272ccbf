#define ENGINE_NAME "avx2"
#define ENGINE_SYMBOL engine_avx2
#define ENGINE_OBSTACLE obstacle_avx2
#define AVX_VNNI 0
#include "pass_begin.h"
#include "lanes_avx2.h"
#include "product_avx256.h"
#include "pass_end.h"
