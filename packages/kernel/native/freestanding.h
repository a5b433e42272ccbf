// The kernel needs nothing of a C library but these two, which every process has.
#pragma once
#include <stddef.h>
#include <stdint.h>
extern "C" void* memcpy(void* to, const void* from, size_t bytes);
extern "C" void* memset(void* to, int value, size_t bytes);
#define memcpy __builtin_memcpy
#define memset __builtin_memset
