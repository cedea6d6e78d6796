/* SPDX-License-Identifier: Apache-2.0 */
/* json-c for what is written. */
#include "common/json.h"

#include "common/err.h"

static json_object *must(json_object *o)
{
	if (!o)
		fatal("out of memory");
	return o;
}

void json_add(json_object *o, const char *key, json_object *value)
{
	if (json_object_object_add(o, key, value) < 0)
		fatal("out of memory");
}

void json_append(json_object *array, json_object *value)
{
	if (json_object_array_add(array, value) < 0)
		fatal("out of memory");
}

json_object *json_new_object(void)
{
	return must(json_object_new_object());
}

json_object *json_new_array(void)
{
	return must(json_object_new_array());
}

json_object *json_new_string(const char *s)
{
	return must(json_object_new_string(s));
}

json_object *json_new_string_len(const char *s, int len)
{
	return must(json_object_new_string_len(s, len));
}

json_object *json_new_int64(int64_t v)
{
	return must(json_object_new_int64(v));
}

json_object *json_new_uint64(uint64_t v)
{
	return must(json_object_new_uint64(v));
}

json_object *json_new_boolean(int v)
{
	return must(json_object_new_boolean(v));
}

json_object *json_new_double(double v)
{
	return must(json_object_new_double(v));
}

const char *json_to_text(json_object *o, int flags)
{
	size_t len;

	return json_to_text_length(o, flags, &len);
}

const char *json_to_text_length(json_object *o, int flags, size_t *ret_len)
{
	const char *text = json_object_to_json_string_length(o, flags, ret_len);

	if (!text)
		fatal("out of memory");
	return text;
}
