/* SPDX-License-Identifier: Apache-2.0 */
/* What cppcheck has to know of the libraries' macros to parse what uses them. */
#define json_object_object_foreach(obj, key, val)                                                                      \
	struct json_object *val = (obj);                                                                               \
	for (const char *key = json_object_get_string(val); key; key = json_object_get_string(val))
