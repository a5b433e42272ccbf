// Numbers of ../ARITHMETIC.md, which says where each comes from.
#pragma once

constexpr float ROUND_1 = 12582912.f;         // 1.5 * 2^23: adding it rounds to whole numbers, held in the low bits
constexpr float ROUND_4 = 3145728.f;          // 1.5 * 2^21: to quarters
constexpr float INVERSE_127 = 1 / 127.f, INVERSE_63 = 1 / 63.f, INVERSE_255 = 1 / 255.f, TINY = 1e-9f;
constexpr float PROBABILITY_LEVELS = 65500.f; // of 65,535: exp2 may exceed 1 by 3e-5
constexpr float INFINITE = __builtin_inff();
constexpr double LOG2_E = 1.4426950408889634;
constexpr float EXP2_0 = 1, EXP2_1 = 0.693797827f, EXP2_2 = 0.240339234f;
constexpr float MINUS_LARGE = -1e30f;
alignas(64) static const float KEEP[32] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};   // a window of it keeps the first lanes
