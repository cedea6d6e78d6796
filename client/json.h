/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers around json-c for what the client reads and writes. */
#ifndef THOLE_CLIENT_JSON_H
#define THOLE_CLIENT_JSON_H

#include <json-c/json.h>
#include <stdint.h>

#include "common/err.h"
#include "common/json.h"

static inline void cleanup_json_fn(json_object **o)
{
	json_object_put(*o);
}
#define cleanup_json __attribute__((cleanup(cleanup_json_fn)))

/* All of these are fatal when memory is exhausted. `value` is given away. */
void json_add_string(json_object *o, const char *key, const char *value);
void json_add_int(json_object *o, const char *key, int64_t value);
void json_add_bool(json_object *o, const char *key, bool value);

/* An array of strings from a list that ends with NULL. */
json_object *json_new_strings(const char *const *v);

/* What is at "a.b.c"; borrowed, NULL when there is none. Keys without dots. */
json_object *json_get(json_object *o, const char *path);

/* The string there; `otherwise` when it is not there or no string. Borrowed. */
const char *json_get_text(json_object *o, const char *path, const char *otherwise);

/* Parse a text that is called `name` in errors. The caller puts ret. */
int json_parse(const char *text, const char *name, json_object **ret, struct err *err);

/* Read and parse a file of the state directory, of at most `max` bytes: statedir_read_file(). The caller puts ret. Not JSON: ERR_CONFIG. */
int json_read_at(int dir_fd, const char *name, size_t max, json_object **ret, struct err *err);

/* As text that people read. Borrowed from the object. */
const char *json_text(json_object *o);

#endif
