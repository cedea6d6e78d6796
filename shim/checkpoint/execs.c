/* SPDX-License-Identifier: Apache-2.0 */
/* The exec'd processes that a checkpoint takes along: by which names they are known, where they are found again, and what their streams are.
 *
 * The file is hostile at a restore: names are numbers, keys have a length, and a pid only says which of the container's own processes is meant. */
#include "shim/checkpoint/execs.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/json.h"
#include "shim/oci/json.h"

#define FILE_MAX 8192

int execs_write(int dir_fd, const struct checkpoint_exec *v, size_t n, struct err *err)
{
	cleanup_json struct json_object *list = json_new_array();
	const char *text;

	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_new_object(), *streams = json_new_array();

		json_add(o, "name", json_new_string(v[i].name));
		json_add(o, "pid", json_new_int64(v[i].pid));
		for (int s = 0; s < 3; s++)
			json_append(streams, json_new_string(v[i].streams.key[s]));
		json_add(o, "streams", streams);
		json_append(list, o);
	}
	if (n == 0)
		return 0;
	text = json_to_text(list, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	return fd_replace_file_at(dir_fd, EXECS_FILE, text, strlen(text), 0600, err);
}

static bool is_name(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n > 0 && n < EXECS_NAME_MAX && !text[n] && text[0] != '0' && strtoul(text, NULL, 10) <= UINT32_MAX;
}

static bool read_one(struct json_object *o, struct checkpoint_exec *ret)
{
	struct json_object *name, *pid, *streams;

	if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, "name", &name) ||
	    !json_object_object_get_ex(o, "pid", &pid) || !json_object_object_get_ex(o, "streams", &streams))
		return false;
	if (!json_object_is_type(name, json_type_string) || !is_name(json_object_get_string(name)) ||
	    !json_object_is_type(pid, json_type_int) || json_object_get_int(pid) < 2 ||
	    !json_object_is_type(streams, json_type_array) || json_object_array_length(streams) != 3)
		return false;
	*ret = (struct checkpoint_exec) { .pid = json_object_get_int(pid) };
	snprintf(ret->name, sizeof(ret->name), "%s", json_object_get_string(name));
	for (size_t i = 0; i < 3; i++) {
		struct json_object *key = json_object_array_get_idx(streams, i);

		if (!json_object_is_type(key, json_type_string) ||
		    json_object_get_string_len(key) >= DESCRIPTORS_KEY_MAX)
			return false;
		snprintf(ret->streams.key[i], DESCRIPTORS_KEY_MAX, "%s", json_object_get_string(key));
	}
	return true;
}

static bool is_there(const struct checkpoint_exec *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(v[i].name, name))
			return true;
	return false;
}

int execs_read(int dir_fd, struct checkpoint_exec ret[EXECS_MAX], size_t *ret_n, struct err *err)
{
	cleanup_json struct json_object *list = NULL;
	cleanup_free char *text = NULL;
	size_t n = 0;

	*ret_n = 0;
	if (faccessat(dir_fd, EXECS_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (fd_read_file_at(dir_fd, EXECS_FILE, FILE_MAX, &text, err) < 0 ||
	    oci_json_parse(EXECS_FILE, text, strlen(text), &list, err) < 0)
		return -1;
	if (!json_object_is_type(list, json_type_array) || json_object_array_length(list) > EXECS_MAX)
		return err_set(err, ERR_CONFIG, "%s: must be a list of at most %d", EXECS_FILE, EXECS_MAX);
	for (; n < json_object_array_length(list); n++)
		if (!read_one(json_object_array_get_idx(list, n), &ret[n]) || is_there(ret, n, ret[n].name))
			return err_set(err, ERR_CONFIG, "%s: element %zu is no process", EXECS_FILE, n);
	*ret_n = n;
	return 0;
}
