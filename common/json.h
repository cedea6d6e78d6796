/* SPDX-License-Identifier: Apache-2.0 */
/* json-c for what is written: exhausted memory is fatal, as everywhere. json-c itself would leave a key out and go on. */
#ifndef THOLE_COMMON_JSON_H
#define THOLE_COMMON_JSON_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

/* `value` is given away; NULL is JSON's null. */
void json_add(json_object *o, const char *key, json_object *value);
void json_append(json_object *array, json_object *value);

/* The caller gives them away, or puts them. */
json_object *json_new_object(void);
json_object *json_new_array(void);
json_object *json_new_string(const char *s);
json_object *json_new_string_len(const char *s, int len);
json_object *json_new_int64(int64_t v);
json_object *json_new_uint64(uint64_t v);
json_object *json_new_boolean(int v);
json_object *json_new_double(double v);

/* As JSON, with flags JSON_C_TO_STRING_x. Belongs to `o`, until it is written the next time. */
const char *json_to_text(json_object *o, int flags);
const char *json_to_text_length(json_object *o, int flags, size_t *ret_len);

#endif
