#define ENGINE_NAME "amx-int8"
#define ENGINE_SYMBOL engine_amx
#define ENGINE_OBSTACLE obstacle_amx
#include "pass_begin.h"
#include "lanes_avx512.h"
#include "product_amx.h"
#include "pass_end.h"
