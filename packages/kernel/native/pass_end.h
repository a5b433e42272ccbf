#pragma once
#include "rows.h"
#include "softmax.h"
#include "gelu.h"
#include "attention.h"
#include "pass.h"
}  // namespace
extern const char* ENGINE_OBSTACLE();
extern const Engine ENGINE_SYMBOL;
const Engine ENGINE_SYMBOL = {ENGINE_NAME, ENGINE_OBSTACLE, scratch_bytes, run, measure_product};
