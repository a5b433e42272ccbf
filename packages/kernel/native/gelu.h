// GELU as max(x, 0) - g(|x|), g by a parabola in each of 16 intervals around the quarters 0, 0.25 .. 3.75.
#pragma once
#include "gelu_tables.h"

static inline F16 gelu(F16 x, const float (*t)[16]) {
    F16 v = smaller(magnitude(x), all(GELU_END));
    F16 u = v + all(ROUND_4);
    F16 r = v - (u - all(ROUND_4));
    F16 g = lookup16(u, t[0]) + r * (lookup16(u, t[1]) + r * lookup16(u, t[2]));
    return larger(x, all(0)) - g;
}
