/* SPDX-License-Identifier: Apache-2.0 */
/* Tables that say which member of a JSON object goes into which member of a struct, and the readers that they name. */
#include "shim/oci/field.h"

#include <inttypes.h>
#include <string.h>

#include "common/fd.h"
#include "common/path.h"

/* Append what `at` is below its parent; parents first. */
static size_t write_path(const struct at *at, char *buf, size_t size, size_t n)
{
	int r;

	if (!at->up)
		return n;
	n = write_path(at->up, buf, size, n);
	if (n >= size)
		return n;
	if (at->key)
		r = snprintf(buf + n, size - n, "%s%s", n ? "." : "", at->key);
	else
		r = snprintf(buf + n, size - n, "[%zu]", at->index);
	return r < 0 ? n : n + (size_t)r;
}

int refuse(const struct at *at, struct err *err, ErrCode code, const char *fmt, ...)
{
	char path[ERR_TEXT_MAX / 2] = "", text[ERR_TEXT_MAX / 2];
	va_list ap;

	write_path(at, path, sizeof(path), 0);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(err, code, "%s: %s", path[0] ? path : "config.json", text);
}

int want_string(const struct at *at, struct json_object *v, const char **ret_text, struct err *err)
{
	if (!json_object_is_type(v, json_type_string))
		return refuse(at, err, ERR_CONFIG, "must be a string");
	*ret_text = json_object_get_string(v);
	return 0;
}

int want_object(const struct at *at, struct json_object *v, struct err *err)
{
	if (!json_object_is_type(v, json_type_object))
		return refuse(at, err, ERR_CONFIG, "must be an object");
	return 0;
}

/* json-c gives the nearest value that fits instead of failing: a number above INT64_MAX is only seen as an unsigned one. */
static bool is_above_i64(struct json_object *v)
{
	return json_object_get_uint64(v) > INT64_MAX;
}

int want_i64(const struct at *at, struct json_object *v, int64_t min, int64_t max, int64_t *ret_n, struct err *err)
{
	int64_t n;

	if (!json_object_is_type(v, json_type_int))
		return refuse(at, err, ERR_CONFIG, "must be an integer");
	n = json_object_get_int64(v);
	if (is_above_i64(v) || n < min || n > max)
		return refuse(at, err, ERR_CONFIG, "must be between %" PRId64 " and %" PRId64, min, max);
	*ret_n = n;
	return 0;
}

int want_u64(const struct at *at, struct json_object *v, uint64_t max, uint64_t *ret_n, struct err *err)
{
	if (!json_object_is_type(v, json_type_int))
		return refuse(at, err, ERR_CONFIG, "must be an integer");
	if (json_object_get_int64(v) < 0 || json_object_get_uint64(v) > max)
		return refuse(at, err, ERR_CONFIG, "must be between 0 and %" PRIu64, max);
	*ret_n = json_object_get_uint64(v);
	return 0;
}

int read_bool(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	if (!json_object_is_type(v, json_type_boolean))
		return refuse(at, err, ERR_CONFIG, "must be true or false");
	*(bool *)out = json_object_get_boolean(v);
	return 0;
}

int read_string(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const char *text;

	if (want_string(at, v, &text, err) < 0)
		return -1;
	if (text[0])
		*(char **)out = xstrdup(text);
	return 0;
}

int read_text(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	if (read_string(at, v, out, arg, err) < 0)
		return -1;
	return *(char **)out ? 0 : refuse(at, err, ERR_CONFIG, "must not be empty");
}

int read_path(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const char *text;

	if (want_string(at, v, &text, err) < 0)
		return -1;
	if (text[0] != '/')
		return refuse(at, err, ERR_CONFIG, "must be an absolute path");
	*(char **)out = path_clean(text);
	return 0;
}

static int want_list(const struct at *at, struct json_object *v, size_t max, struct err *err)
{
	if (!json_object_is_type(v, json_type_array))
		return refuse(at, err, ERR_CONFIG, "must be a list");
	if (json_object_array_length(v) > max)
		return refuse(at, err, ERR_LIMIT, "has more than %zu entries", max);
	return 0;
}

int read_strings(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_strings *s = out;
	size_t n;

	if (want_list(at, v, OCI_LIST_MAX, err) < 0)
		return -1;
	n = json_object_array_length(v);
	s->v = xcalloc(n + 1, sizeof(*s->v));
	for (size_t i = 0; i < n; i++) {
		struct at entry = { .up = at, .index = i };
		const char *text;

		if (want_string(&entry, json_object_array_get_idx(v, i), &text, err) < 0)
			return -1;
		s->v[s->n++] = xstrdup(text);
	}
	return 0;
}

int read_paths(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_strings *s = out;

	if (read_strings(at, v, out, arg, err) < 0)
		return -1;
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i][0] != '/')
			return refuse(&(struct at) { .up = at, .index = i }, err, ERR_CONFIG,
				      "must be an absolute path");
	return 0;
}

int read_env(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_strings *s = out;

	if (read_strings(at, v, out, arg, err) < 0)
		return -1;
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i][0] == '=' || !strchr(s->v[i], '='))
			return refuse(&(struct at) { .up = at, .index = i }, err, ERR_CONFIG, "must be NAME=VALUE");
	return 0;
}

int read_i64(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_i64 *n = out;

	if (want_i64(at, v, INT64_MIN, INT64_MAX, &n->v, err) < 0)
		return -1;
	n->set = true;
	return 0;
}

int read_u64(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_u64 *n = out;

	if (want_u64(at, v, UINT64_MAX, &n->v, err) < 0)
		return -1;
	n->set = true;
	return 0;
}

int read_pairs(const struct at *at, struct json_object *v, struct oci_strings *keys, struct oci_strings *values,
	       struct err *err)
{
	size_t n;

	if (want_object(at, v, err) < 0)
		return -1;
	n = (size_t)json_object_object_length(v);
	if (n > OCI_LIST_MAX)
		return refuse(at, err, ERR_LIMIT, "has more than %d entries", OCI_LIST_MAX);
	keys->v = xcalloc(n + 1, sizeof(char *));
	values->v = xcalloc(n + 1, sizeof(char *));
	json_object_object_foreach(v, key, value)
	{
		struct at member = { .up = at, .key = key };
		const char *text;

		if (!key[0])
			return refuse(at, err, ERR_CONFIG, "a key must not be empty");
		if (want_string(&member, value, &text, err) < 0)
			return -1;
		keys->v[keys->n++] = xstrdup(key);
		values->v[values->n++] = xstrdup(text);
	}
	return 0;
}

/* 2^32-1 means "leave it as it is" to every system call that takes an id. */
int read_id(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	uint64_t n;

	_Static_assert(sizeof(uid_t) == sizeof(uint32_t) && sizeof(gid_t) == sizeof(uint32_t), "ids have 32 bits");
	if (want_u64(at, v, UINT32_MAX - 1, &n, err) < 0)
		return -1;
	*(uint32_t *)out = (uint32_t)n;
	return 0;
}

int read_object(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const struct table *table = arg;

	if (want_object(at, v, err) < 0)
		return -1;
	for (size_t i = 0; i < table->n; i++) {
		const struct row *row = &table->rows[i];
		struct at member = { .up = at, .key = row->name };
		struct json_object *value = json_object_object_get(v, row->name);

		/* null is what absent fields become in some writers. */
		if (value) {
			if (row->read(&member, value, (char *)out + row->offset, row->arg, err) < 0)
				return -1;
		} else if (row->required) {
			return refuse(&member, err, ERR_CONFIG, "is missing");
		}
	}
	return 0;
}

int read_list(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const struct list *list = arg;
	char *entries = out;
	size_t n;

	if (want_list(at, v, list->max ? list->max : OCI_LIST_MAX, err) < 0)
		return -1;
	n = json_object_array_length(v);
	if (n > 0 && list->size > 0) {
		entries = xcalloc(n, list->size);
		memcpy((size_t *)out + 1, &entries, sizeof(entries));
	}
	for (size_t i = 0; i < n; i++) {
		struct at entry = { .up = at, .index = i };
		struct json_object *value = json_object_array_get_idx(v, i);

		if (!value)
			return refuse(&entry, err, ERR_CONFIG, "must not be null");
		/* Counted before it is read: what a failure leaves half read is freed too. */
		if (list->size > 0)
			*(size_t *)out = i + 1;
		if (list->read(&entry, value, entries + i * list->size, list->arg, err) < 0)
			return -1;
	}
	return 0;
}

int read_present(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const struct present *p = arg;

	*(bool *)((char *)out + p->flag) = true;
	return read_object(at, v, (char *)out + p->body, p->table, err);
}

static bool has_content(struct json_object *v)
{
	switch (json_object_get_type(v)) {
	case json_type_null:
		return false;
	case json_type_string:
		return json_object_get_string_len(v) > 0;
	case json_type_array:
		return json_object_array_length(v) > 0;
	case json_type_object:
		return json_object_object_length(v) > 0;
	case json_type_boolean:
	case json_type_double:
	case json_type_int:
		break;
	}
	return true;
}

int read_filled(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	if (want_object(at, v, err) < 0)
		return -1;
	return has_content(v) ? read_present(at, v, out, arg, err) : 0;
}

int refuse_not_done(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	return has_content(v) ? refuse(at, err, ERR_UNSUPPORTED, "not supported yet") : 0;
}

int refuse_present_platform(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	return refuse(at, err, ERR_UNSUPPORTED, "not for Linux");
}

int refuse_other_platform(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	return has_content(v) ? refuse_present_platform(at, v, out, arg, err) : 0;
}
