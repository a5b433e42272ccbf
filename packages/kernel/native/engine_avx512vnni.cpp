#define ENGINE_NAME "avx512-vnni"
#define ENGINE_SYMBOL engine_avx512vnni
#define ENGINE_OBSTACLE obstacle_avx512vnni
#include "pass_begin.h"
#include "lanes_avx512.h"
#include "product_avx512vnni.h"
#include "pass_end.h"
