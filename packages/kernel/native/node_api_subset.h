// The few declarations of Node-API that the addon uses, after Node's documentation of its stable ABI (version 8).
#pragma once
#include <stddef.h>
#include <stdint.h>

struct napi_env__;
struct napi_value__;
struct napi_callback_info__;
typedef napi_env__* napi_env;
typedef napi_value__* napi_value;
typedef napi_callback_info__* napi_callback_info;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
enum napi_status : int { napi_ok = 0 };
enum napi_typedarray_type : int { napi_uint8_array = 1, napi_int32_array = 5, napi_float32_array = 7, napi_float64_array = 8 };
constexpr size_t NAPI_AUTO_LENGTH = SIZE_MAX;

extern "C" {
napi_status napi_get_cb_info(napi_env, napi_callback_info, size_t* count, napi_value* values, napi_value* self, void** data);
napi_status napi_get_typedarray_info(napi_env, napi_value, napi_typedarray_type*, size_t* length, void** data, napi_value* buffer, size_t* offset);
napi_status napi_get_value_uint32(napi_env, napi_value, uint32_t*);
napi_status napi_create_double(napi_env, double, napi_value*);
napi_status napi_create_function(napi_env, const char* name, size_t length, napi_callback, void* data, napi_value*);
napi_status napi_set_named_property(napi_env, napi_value object, const char* name, napi_value);
napi_status napi_create_string_utf8(napi_env, const char*, size_t length, napi_value*);
napi_status napi_create_array(napi_env, napi_value*);
napi_status napi_set_element(napi_env, napi_value array, uint32_t index, napi_value);
napi_status napi_get_null(napi_env, napi_value*);
}
