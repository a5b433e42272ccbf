#define ENGINE_NAME "avx-vnni"
#define ENGINE_SYMBOL engine_avxvnni
#define ENGINE_OBSTACLE obstacle_avxvnni
#define AVX_VNNI 1
#include "pass_begin.h"
#include "lanes_avx2.h"
#include "product_avx256.h"
#include "pass_end.h"
