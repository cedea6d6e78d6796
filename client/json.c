/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers around json-c for what the client reads and writes. */
#include "client/json.h"

#include <string.h>

#include "common/fd.h"
#include "common/statedir.h"

#define KEY_MAX 64

void json_add_string(json_object *o, const char *key, const char *value)
{
	json_add(o, key, json_new_string(value));
}

void json_add_int(json_object *o, const char *key, int64_t value)
{
	json_add(o, key, json_new_int64(value));
}

void json_add_bool(json_object *o, const char *key, bool value)
{
	json_add(o, key, json_new_boolean(value));
}

json_object *json_new_strings(const char *const *v)
{
	json_object *array = json_new_array();

	for (; *v; v++)
		json_append(array, json_new_string(*v));
	return array;
}

json_object *json_get(json_object *o, const char *path)
{
	while (o && *path) {
		size_t len = strcspn(path, ".");
		char key[KEY_MAX];
		json_object *next = NULL;

		if (len >= sizeof(key) || !json_object_is_type(o, json_type_object))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		if (!json_object_object_get_ex(o, key, &next))
			return NULL;
		o = next;
		path += len;
		path += *path == '.';
	}
	return o;
}

const char *json_get_text(json_object *o, const char *path, const char *otherwise)
{
	json_object *at = json_get(o, path);

	return json_object_is_type(at, json_type_string) ? json_object_get_string(at) : otherwise;
}

int json_parse(const char *text, const char *name, json_object **ret, struct err *err)
{
	struct json_tokener *t = json_tokener_new();
	json_object *o;

	if (!t)
		fatal("out of memory");
	o = json_tokener_parse_ex(t, text, -1);
	if (!o && json_tokener_get_error(t) == json_tokener_success)
		err_set(err, ERR_CONFIG, "'%s' has nothing but a null in it", name);
	else if (!o)
		err_set(err, ERR_CONFIG, "'%s' is not JSON: %s at byte %zu", name,
			json_tokener_error_desc(json_tokener_get_error(t)), json_tokener_get_parse_end(t));
	json_tokener_free(t);
	if (!o)
		return -1;
	*ret = o;
	return 0;
}

int json_read_at(int dir_fd, const char *name, size_t max, json_object **ret, struct err *err)
{
	cleanup_free char *text = NULL;

	if (statedir_read_file(dir_fd, name, max, &text, err) < 0)
		return -1;
	return json_parse(text, name, ret, err);
}

const char *json_text(json_object *o)
{
	const char *text =
		json_to_text(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!text)
		fatal("out of memory");
	return text;
}
