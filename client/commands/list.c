/* SPDX-License-Identifier: Apache-2.0 */
/* thole list: all containers, from their status records; no shim is woken. One that is broken does not hide the others. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "client/call.h"
#include "client/command.h"
#include "client/json.h"
#include "client/print.h"
#include "common/fd.h"
#include "common/statedir.h"
#include "common/utc.h"

struct row {
	char *id; /* with the two behind it in one piece */
	const char *bundle, *rootfs;
	enum container_status status;
	int32_t pid;
	uint64_t created_ns;
	uint32_t owner_uid;
	const char *shim;                                                /* call_shim_word(); NULL: not asked for */
	char version[sizeof(((struct status_record *)0)->shim_version)]; /* of a shim that lives */
	bool reboot;
};

struct rows {
	size_t n, room;
	struct row *v;
	bool only_ids;   /* nobody asks what they are doing */
	bool with_shims; /* else nobody looks for them */
};

static void rows_release(struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->v[i].id);
	free(r->v);
}

static void rows_add(struct rows *r, const char *id, const struct status_record *rec, enum container_status status,
		     const char *shim, bool lives, bool reboot)
{
	size_t id_size = strlen(id) + 1, bundle_size = strlen(rec->bundle) + 1, rootfs_size = strlen(rec->rootfs) + 1;
	char *texts = xmalloc(id_size + bundle_size + rootfs_size);

	memcpy(texts, id, id_size);
	memcpy(texts + id_size, rec->bundle, bundle_size);
	memcpy(texts + id_size + bundle_size, rec->rootfs, rootfs_size);
	if (r->n == r->room) {
		r->room = r->room ? r->room * 2 : 64;
		r->v = xreallocarray(r->v, r->room, sizeof(*r->v));
	}
	r->v[r->n++] = (struct row) {
		.id = texts,
		.bundle = texts + id_size,
		.rootfs = texts + id_size + bundle_size,
		.status = status,
		.pid = status == STATUS_STOPPED || status == STATUS_CHECKPOINTED ? 0 : rec->init_pid,
		.created_ns = rec->created_ns,
		.owner_uid = rec->owner_uid,
		.shim = shim,
		.reboot = reboot,
	};
	if (lives)
		stpcpy(r->v[r->n - 1].version, rec->shim_version[0] ? rec->shim_version : "unknown");
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->id, ((const struct row *)b)->id);
}

/* No record: gone meanwhile, being made just now, or broken. */
static void say_missing(const struct client *cl, int root_fd, const char *id)
{
	cleanup_fd int dir_fd = -1;
	struct err err;

	if (statedir_open(root_fd, id, &dir_fd, &err) < 0) {
		if (err.code == ERR_PERMISSION)
			client_remark(cl, "%s", err.text);
		return;
	}
	if (call_is_leftover(dir_fd))
		client_remark(cl, "container '%s' has no status record: 'delete %s' removes it", id, id);
	else if (!call_shim_lives(dir_fd))
		client_remark(cl, "container '%s': its status record is missing", id);
}

static void read_one(const struct client *cl, int root_fd, const char *id, struct statedir_view *view,
		     struct rows *rows)
{
	struct status_record rec;
	enum container_status status = STATUS_NONE;
	bool lives = false;
	struct err err = { .code = ERR_NONE };

	if (statedir_read_status_of(root_fd, id, &rec, rows->with_shims ? &lives : NULL, &err) == 0 &&
	    strcmp(rec.id, id) != 0) {
		client_remark(cl, "container '%s': its status record is that of container '%s'", id, rec.id);
	} else if (err.code == ERR_NONE) {
		if (!rows->only_ids)
			status = statedir_view_refresh(view, &rec, lives);
		rows_add(rows, id, &rec, status, rows->with_shims ? call_shim_word(&rec, lives) : NULL, lives,
			 status == STATUS_STOPPED && statedir_view_reboot(view, &rec));
	} else if (err.code == ERR_NOT_FOUND) {
		say_missing(cl, root_fd, id);
	} else {
		client_remark(cl, "%s", err.text);
	}
}

static int read_all(const struct client *cl, struct rows *rows, struct err *err)
{
	cleanup_fd int root_fd = -1;
	cleanup_dir DIR *dir = NULL;
	cleanup_statedir_view struct statedir_view view;
	struct dirent *e;
	struct err not_id;

	statedir_view_init(&view);
	if (client_open_root(cl, false, &root_fd, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	dir = fdopendir(fcntl(root_fd, F_DUPFD_CLOEXEC, 0));
	if (!dir)
		return err_sys(err, "cannot read state directory '%s'", cl->root_path);
	while ((e = readdir(dir)))
		if ((e->d_type == DT_DIR || e->d_type == DT_UNKNOWN) && statedir_check_id(e->d_name, &not_id) == 0)
			read_one(cl, root_fd, e->d_name, &view, rows);
	if (rows->n > 0)
		qsort(rows->v, rows->n, sizeof(*rows->v), compare);
	return 0;
}

/* ---- the table --------------------------------------------------------------------------------- */

enum { COLUMNS_OCI = 6, COLUMNS = 8, COLUMN_MIN = 12, COLUMN_GAP = 3 };

struct cells {
	const char *text[COLUMNS];
	char pid[16], created[UTC_TEXT_SIZE];
};

static void fill_cells(const struct row *row, struct print_owner *owner, struct cells *c)
{
	snprintf(c->pid, sizeof(c->pid), "%d", row->pid);
	utc_text_exact(row->created_ns, c->created);
	c->text[0] = row->id;
	c->text[1] = c->pid;
	c->text[2] = row->reboot ? "stopped (reboot)" : container_status_name(row->status);
	c->text[3] = row->bundle;
	c->text[4] = c->created;
	c->text[5] = print_owner(owner, row->owner_uid);
	c->text[6] = row->shim ? row->shim : "";
	c->text[7] = row->version[0] ? row->version : "-";
}

/* Scripts cut runc's table by the columns of its header: the same widths. */
static void widen(int width[COLUMNS], const struct cells *c)
{
	for (int i = 0; i < COLUMNS; i++) {
		int need = (int)strlen(c->text[i]) + COLUMN_GAP;

		if (width[i] < need)
			width[i] = need;
	}
}

static void print_cells(const int width[COLUMNS], int n, const struct cells *c)
{
	for (int i = 0; i < n - 1; i++) {
		fputs(c->text[i], stdout);
		for (int pad = width[i] - (int)strlen(c->text[i]); pad > 0; pad--)
			putchar_unlocked(' ');
	}
	puts(c->text[n - 1]);
}

/* The last columns are ours: runc's table ends before them. */
static void print_table(const struct client *cl, const struct rows *rows)
{
	struct cells header = { .text = { "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER", "SHIM", "VERSION" } }, c;
	int width[COLUMNS] = { COLUMN_MIN, COLUMN_MIN, COLUMN_MIN, COLUMN_MIN,
			       COLUMN_MIN, COLUMN_MIN, COLUMN_MIN, COLUMN_MIN };
	int n = cl->oci ? COLUMNS_OCI : COLUMNS;
	struct print_owner owner = { 0 };

	for (size_t i = 0; i < rows->n; i++) {
		fill_cells(&rows->v[i], &owner, &c);
		widen(width, &c);
	}
	print_cells(width, n, &header);
	for (size_t i = 0; i < rows->n; i++) {
		fill_cells(&rows->v[i], &owner, &c);
		print_cells(width, n, &c);
	}
}

/* ---- JSON -------------------------------------------------------------------------------------- */

/* What is not in the record but in the state file, which may be damaged or of a container that is just going. */
static void add_from_state(int root_fd, const char *id, json_object *o)
{
	cleanup_free char *path = xasprintf("%s/" STATEDIR_STATE, id);
	cleanup_json json_object *state = NULL;
	json_object *version, *annotations;
	struct err ignored;

	if (root_fd < 0 || json_read_at(root_fd, path, STATEDIR_JSON_MAX, &state, &ignored) < 0)
		return;
	version = json_get(state, "container.ociVersion");
	if (json_object_is_type(version, json_type_string))
		json_add(o, "ociVersion", json_object_get(version));
	annotations = json_get(state, "container.annotations");
	if (json_object_is_type(annotations, json_type_object) && json_object_object_length(annotations) > 0)
		json_add(o, "annotations", json_object_get(annotations));
}

static json_object *new_extra(const struct row *row)
{
	json_object *o = json_new_object();

	json_add_string(o, "shim", row->shim);
	if (row->version[0])
		json_add_string(o, "shimVersion", row->version);
	if (row->reboot)
		json_add_bool(o, "reboot", true);
	return o;
}

static json_object *new_entry(const struct client *cl, const struct row *row, int root_fd, struct print_owner *owner)
{
	json_object *o = json_new_object();
	char time[UTC_TEXT_SIZE];

	utc_text_exact(row->created_ns, time);
	json_add_string(o, "ociVersion", CLIENT_OCI_VERSION);
	json_add_string(o, "id", row->id);
	json_add_int(o, "pid", row->pid);
	json_add_string(o, "status", container_status_name(row->status));
	json_add_string(o, "bundle", row->bundle);
	json_add_string(o, "rootfs", row->rootfs);
	json_add_string(o, "created", time);
	add_from_state(root_fd, row->id, o);
	json_add_string(o, "owner", print_owner(owner, row->owner_uid));
	if (!cl->oci)
		json_add(o, "thole", new_extra(row));
	return o;
}

static void print_json(const struct client *cl, const struct rows *rows)
{
	cleanup_json json_object *all = json_new_array();
	struct print_owner owner = { 0 };
	cleanup_fd int root_fd = -1;
	struct err ignored;

	/* What runc prints for no containers. */
	if (cl->oci && rows->n == 0) {
		puts("null");
		return;
	}
	client_open_root(cl, false, &root_fd, &ignored);
	for (size_t i = 0; i < rows->n; i++)
		json_append(all, new_entry(cl, &rows->v[i], root_fd, &owner));
	puts(json_to_text(all, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

int cmd_list(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct list_options *o = inv->options;
	struct rows rows = { .only_ids = o->quiet, .with_shims = !cl->oci && !o->quiet };
	int r = read_all(cl, &rows, err);

	if (r < 0)
		;
	else if (o->quiet)
		for (size_t i = 0; i < rows.n; i++)
			puts(rows.v[i].id);
	else if (o->format && !strcmp(o->format, "json"))
		print_json(cl, &rows);
	else
		print_table(cl, &rows);
	rows_release(&rows);
	return r;
}
