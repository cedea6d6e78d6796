/* SPDX-License-Identifier: Apache-2.0 */
/* Containers of an ordinary user. */
#include "client/rootless.h"

#include <string.h>
#include <unistd.h>

#include "client/config.h"
#include "common/fd.h"
#include "common/proc.h"

int rootless_judge(const char *word, bool *ret, struct err *err)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" }, *const no[] = { "0",     "f",
												    "F",     "false",
												    "FALSE", "False" };

	for (size_t i = 0; word && i < ARRAY_SIZE(yes); i++)
		if (!strcmp(word, yes[i]) || !strcmp(word, no[i])) {
			if (ret)
				*ret = !strcmp(word, yes[i]);
			return 0;
		}
	if (word && word[0] && strcmp(word, "auto") != 0)
		return err_set(err, ERR_USAGE, "--rootless is true, false or auto, not '%s'", word);
	if (ret)
		*ret = geteuid() != 0 || proc_in_user_ns();
	return 0;
}

static json_object *new_mapping(uint32_t host)
{
	json_object *list = json_new_array(), *map = json_new_object();

	json_add_int(map, "containerID", 0);
	json_add_int(map, "hostID", host);
	json_add_int(map, "size", 1);
	json_append(list, map);
	return list;
}

static void change_namespaces(json_object *config, bool host_network)
{
	json_object *list = json_get(config, "linux.namespaces"), *user = json_new_object();

	for (size_t i = json_object_array_length(list); host_network && i-- > 0;)
		if (!strcmp(json_get_text(json_object_array_get_idx(list, i), "type", ""), "network"))
			json_object_array_del_idx(list, i, 1);
	json_add_string(user, "type", "user");
	json_append(list, user);
}

/* A sysfs of its own shows a network namespace of its own; the tty group has no number inside. */
static void change_mounts(json_object *config, bool host_network)
{
	static const char *const pts[] = { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", NULL };
	static const char *const sys[] = { "rbind", "nosuid", "noexec", "nodev", "ro", NULL };
	json_object *list = json_get(config, "mounts");

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		json_object *mount = json_object_array_get_idx(list, i);
		const char *type = json_get_text(mount, "type", "");

		if (!strcmp(type, "devpts")) {
			json_add(mount, "options", json_new_strings(pts));
		} else if (!strcmp(type, "sysfs") && host_network) {
			json_add_string(mount, "type", "none");
			json_add_string(mount, "source", "/sys");
			json_add(mount, "options", json_new_strings(sys));
		}
	}
}

void rootless_config(json_object *config, bool host_network)
{
	json_object *os = json_get(config, "linux");

	change_mounts(config, host_network);
	change_namespaces(config, host_network);
	json_object_object_del(os, "resources");
	json_add(os, "uidMappings", new_mapping(geteuid()));
	json_add(os, "gidMappings", new_mapping(getegid()));
}
