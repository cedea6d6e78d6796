/* SPDX-License-Identifier: Apache-2.0 */
/* thole state: one container as JSON, from its files; no shim is woken. */
#include <stdio.h>
#include <string.h>

#include "client/call.h"
#include "client/command.h"
#include "client/json.h"
#include "client/print.h"
#include "common/fd.h"
#include "common/statedir.h"
#include "common/utc.h"

struct sources {
	struct status_record rec;
	enum container_status status; /* what is true now */
	json_object *state;           /* NULL: there is none yet, or it cannot be read */
	int dir_fd;
};

/* What state.json says goes first: the record's strings have a limit. */
static void add_text(json_object *o, const struct sources *s, const char *key, const char *path, const char *otherwise)
{
	json_add_string(o, key, json_get_text(s->state, path, otherwise));
}

static void add_annotations(json_object *o, const struct sources *s)
{
	json_object *annotations = json_get(s->state, "container.annotations");

	if (json_object_is_type(annotations, json_type_object) && json_object_object_length(annotations) > 0)
		json_add(o, "annotations", json_object_get(annotations));
}

static void copy_key(json_object *to, const struct sources *s, const char *key, const char *path)
{
	json_object *value = json_get(s->state, path);

	if (value)
		json_add(to, key, json_object_get(value));
}

static json_object *new_extra(const struct sources *s)
{
	json_object *o = json_new_object();

	json_add_string(o, "shim", call_shim_word(&s->rec, call_shim_lives(s->dir_fd)));
	if (s->rec.exit_recorded) {
		const Exit exit = call_exit_of(&s->rec);

		json_add(o, "exit", print_exit(&exit));
	}
	if (statedir_ended_by_reboot(&s->rec))
		json_add_bool(o, "reboot", true);
	copy_key(o, s, "log", "container.log");
	copy_key(o, s, "otherLogs", "container.otherLogs");
	copy_key(o, s, "execLogs", "container.execLogs");
	copy_key(o, s, "cgroups", "container.cgroups");
	copy_key(o, s, "namespaces", "container.namespaces");
	copy_key(o, s, "processes", "processes");
	return o;
}

static void print_state(const char *id, const struct sources *s)
{
	cleanup_json json_object *o = json_new_object();
	struct print_owner owner = { 0 };
	char time[UTC_TEXT_SIZE];

	utc_text_exact(s->rec.created_ns, time);
	add_text(o, s, "ociVersion", "container.ociVersion", CLIENT_OCI_VERSION);
	json_add_string(o, "id", id);
	json_add_int(o, "pid", s->status == STATUS_STOPPED ? 0 : s->rec.init_pid);
	json_add_string(o, "status", container_status_name(s->status));
	add_text(o, s, "bundle", "container.bundle", s->rec.bundle);
	add_text(o, s, "rootfs", "container.rootfs", s->rec.rootfs);
	json_add_string(o, "created", time);
	add_annotations(o, s);
	json_add_string(o, "owner", print_owner(&owner, s->rec.owner_uid));
	json_add(o, "thole", new_extra(s));
	puts(json_text(o));
}

int cmd_state(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const char *id = inv->operands[0];
	cleanup_json json_object *state = NULL;
	cleanup_fd int dir_fd = -1;
	struct sources s;
	struct err no_state;

	if (client_read_container(cl, id, &dir_fd, &s.rec, err) < 0)
		return -1;
	/* Not there before `created`; a broken one must not hide what the record knows. */
	if (client_read_state(id, dir_fd, &state, &no_state) < 0 && !err_is_sys(&no_state, ENOENT))
		client_remark(cl, "%s", no_state.text);
	s.state = state;
	s.dir_fd = dir_fd;
	s.status = statedir_refresh(&s.rec);
	print_state(id, &s);
	return 0;
}
