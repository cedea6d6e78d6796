/* SPDX-License-Identifier: Apache-2.0 */
/* Strict JSON text to json-c's tree. */
#ifndef THOLE_SHIM_OCI_JSON_H
#define THOLE_SHIM_OCI_JSON_H

#include <stddef.h>

#include <json-c/json.h>

#include "common/err.h"

#define OCI_JSON_DEPTH_MAX 32
#define OCI_JSON_VALUES_MAX 400000 /* strings, numbers and words of one text: bounds the memory of the tree */

/* Parse `text` (len bytes, need not be NUL-terminated, may contain anything). Caller releases ret_root with json_object_put; NULL in it
 * means the JSON value null. ERR_CONFIG "NAME: line L, column C: REASON" when it is not JSON, counted from 1 in characters.
 *
 * Guaranteed of the tree: no NUL inside a string or key, every integer is within -2^63 .. 2^64-1 and exact, no NaN or Infinity. */
int oci_json_parse(const char *name, const char *text, size_t len, struct json_object **ret_root, struct err *err);

static inline void cleanup_json_fn(struct json_object **o)
{
	json_object_put(*o);
}
#define cleanup_json __attribute__((cleanup(cleanup_json_fn)))

#endif
