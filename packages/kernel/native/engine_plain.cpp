#define ENGINE_NAME "plain"
#define ENGINE_SYMBOL engine_plain
#define ENGINE_OBSTACLE obstacle_plain
#include "pass_begin.h"
#include "lanes_plain.h"
#include "product_plain.h"
#include "pass_end.h"
