#define ENGINE_NAME "neon-dotprod"
#define ENGINE_SYMBOL engine_neondotprod
#define ENGINE_OBSTACLE obstacle_neondotprod
#include "pass_begin.h"
#include "lanes_neon.h"
#include "product_neon.h"
#include "pass_end.h"
