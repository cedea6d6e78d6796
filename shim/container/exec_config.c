/* SPDX-License-Identifier: Apache-2.0 */
/* What an exec'd process is to be: the container's config with the process that the client describes.
 *
 * Merged as JSON and then read by the one reader, so that nothing is judged twice or differently. */
#include "shim/container/exec_config.h"

#include <string.h>

#include "common/fd.h"
#include "common/json.h"
#include "shim/oci/json.h"
#include "shim/oci/names.h"

/* As strictly as any config: what json-c alone would clamp, cut off or let pass could not be judged afterwards. */
static struct json_object *parse_object(const char *text, size_t len, const char *what, struct err *err)
{
	struct json_object *o;

	if (oci_json_parse(what, text, len, &o, err) < 0)
		return NULL;
	if (json_object_is_type(o, json_type_object))
		return o;
	json_object_put(o);
	err_set(err, ERR_CONFIG, "%s: must be an object", what);
	return NULL;
}

/* The member `key`, made when it is missing or something else. Borrowed. */
static struct json_object *member(struct json_object *o, const char *key, enum json_type type)
{
	struct json_object *v;

	if (json_object_object_get_ex(o, key, &v) && json_object_is_type(v, type))
		return v;
	v = type == json_type_array ? json_new_array() : json_new_object();
	json_add(o, key, v);
	return v;
}

static size_t list_length(struct json_object *list)
{
	return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

static void append_all(struct json_object *list, struct json_object *more)
{
	for (size_t i = 0; i < list_length(more); i++)
		json_append(list, json_object_get(json_object_array_get_idx(more, i)));
}

/* Entries of the same name go first: which of two a program takes is its own affair. */
static void lay_env(struct json_object *process, struct json_object *more)
{
	struct json_object *old = member(process, "env", json_type_array), *list = json_new_array();

	for (size_t i = 0; i < list_length(old); i++) {
		struct json_object *entry = json_object_array_get_idx(old, i);
		const char *text = json_object_get_string(entry);
		bool replaced = false;

		for (size_t k = 0; k < list_length(more) && text; k++) {
			const char *new_text = json_object_get_string(json_object_array_get_idx(more, k));
			size_t n = new_text ? strcspn(new_text, "=") : 0;

			replaced |= new_text && !strncmp(text, new_text, n) && text[n] == '=';
		}
		if (!replaced)
			json_append(list, json_object_get(entry));
	}
	append_all(list, more);
	json_add(process, "env", list);
}

static void lay_capabilities(struct json_object *process, struct json_object *more)
{
	static const char *const sets[] = { "bounding", "effective", "permitted", "ambient" };
	struct json_object *caps = member(process, "capabilities", json_type_object);

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		append_all(member(caps, sets[i], json_type_array), more);
}

static void lay_user(struct json_object *process, struct json_object *more)
{
	struct json_object *user = member(process, "user", json_type_object);

	if (!json_object_is_type(more, json_type_object))
		return;
	json_object_object_foreach(more, key, v)
	{
		json_add(user, key, json_object_get(v));
	}
}

static void lay_gids(struct json_object *process, struct json_object *more)
{
	append_all(member(member(process, "user", json_type_object), "additionalGids", json_type_array), more);
}

/* What a whole process has from the container as long as it says nothing else, as with runc: its memory, what protects others from it, and where it runs. */
static void keep_containers(struct json_object *old, struct json_object *process)
{
	static const char *const keys[] = { "oomScoreAdj", "capabilities", "apparmorProfile", "selinuxLabel",
					    "scheduler",   "ioPriority",   "execCPUAffinity" };
	struct json_object *v, *own;

	if (!json_object_is_type(old, json_type_object))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_object_get_ex(old, keys[i], &v) &&
		    (!json_object_object_get_ex(process, keys[i], &own) || !own))
			json_add(process, keys[i], json_object_get(v));
}

static void lay_over(struct json_object *process, struct json_object *description)
{
	static const struct {
		const char *key;
		void (*lay)(struct json_object *process, struct json_object *more);
	} rows[] = {
		{ "env", lay_env },
		{ "addCapabilities", lay_capabilities },
		{ "user", lay_user },
		{ "addGids", lay_gids },
	};

	json_object_object_foreach(description, key, v)
	{
		size_t i;

		for (i = 0; i < ARRAY_SIZE(rows) && strcmp(rows[i].key, key) != 0; i++)
			;
		if (i < ARRAY_SIZE(rows))
			rows[i].lay(process, v);
		else
			json_add(process, key, json_object_get(v));
	}
}

int exec_config_parse(const char *config, const char *description, size_t len, bool whole, struct oci_config **ret,
		      struct err *err)
{
	struct json_object *top = parse_object(config, strlen(config), "config.json", err), *process;
	const char *text;
	int r;

	if (!top)
		return -1;
	process = parse_object(description, len, "process", err);
	if (!process) {
		json_object_put(top);
		return -1;
	}
	if (whole) {
		keep_containers(json_object_object_get(top, "process"), process);
		json_add(top, "process", process);
	} else {
		lay_over(member(top, "process", json_type_object), process);
		json_object_put(process);
	}
	text = json_to_text(top, JSON_C_TO_STRING_PLAIN);
	r = oci_config_parse(text, strlen(text), ret, err);
	json_object_put(top);
	return r;
}
