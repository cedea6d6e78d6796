/* SPDX-License-Identifier: Apache-2.0 */
/* What checkpoint and restore have in common: criu's options, its directories, and where criu is. */
#include "client/checkpoint.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/image.h"
#include "client/json.h"
#include "common/fd.h"
#include "common/manifest.h"
#include "common/memfd.h"
#include "common/number.h"
#include "common/path.h"

void checkpoint_files_close(struct checkpoint_files *f)
{
	fd_close(&f->images_fd);
	fd_close(&f->work_fd);
	fd_close(&f->options_fd);
	path_made_release(&f->images);
	path_made_release(&f->work);
}

void checkpoint_files_unmake(const struct checkpoint_files *f)
{
	path_unmake(&f->work);
	path_unmake(&f->images);
}

/* ---- criu ------------------------------------------------------------------------------------------------------------------ */

/* What contrib/install-criu makes for the tree that we were built in. */
static char *beside_build(void)
{
	cleanup_free char *self = NULL, *file = NULL;
	char *slash;
	int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	struct err ignored;

	if (fd < 0 || fd_path(fd, &self, &ignored) < 0) {
		fd_close(&fd);
		return NULL;
	}
	fd_close(&fd);
	slash = strrchr(self, '/');
	if (!slash)
		return NULL;
	file = xasprintf("%.*s/criu/bin/criu", (int)(slash - self), self);
	return path_is_program(file) ? take_ptr(file) : NULL;
}

int checkpoint_find_criu(const struct client *cl, char **ret, struct err *err)
{
	const char *named = cl->global.criu ? cl->global.criu : getenv("THOLE_CRIU");

	if (named && strchr(named, '/') && !path_is_program(named)) {
		err_sys(err, "cannot use criu '%s'", named);
		err->code = ERR_CRIU;
		return -1;
	}
	if (named && strchr(named, '/'))
		return path_absolute(named, ret, err);
	*ret = path_find_program(named ? named : "criu");
	if (!*ret && !named)
		*ret = beside_build();
	if (*ret)
		return 0;
	return err_set(err, ERR_CRIU, "there is no '%s' in PATH: checkpoint and restore need CRIU (--criu PATH)",
		       named ? named : "criu");
}

void checkpoint_tell_criu(const struct client *cl)
{
	cleanup_free char *criu = NULL;
	struct err why;

	if (checkpoint_find_criu(cl, &criu, &why) == 0) {
		setenv("THOLE_CRIU", criu, 1);
	} else {
		unsetenv("THOLE_CRIU");
		setenv("THOLE_NO_CRIU", why.text, 1);
	}
}

/* ---- the options ----------------------------------------------------------------------------------------------------------- */

static void add_text(json_object *o, const char *key, const char *value)
{
	if (value)
		json_add_string(o, key, value);
}

static void add_list(json_object *o, const char *key, const struct opt_list *values)
{
	json_object *list;

	if (values->n == 0)
		return;
	list = json_new_array();
	json_add(o, key, list);
	for (size_t i = 0; i < values->n; i++)
		json_append(list, json_new_string(values->v[i]));
}

int checkpoint_pre_copy(const char *text, uint64_t *ret, bool *ret_required, struct err *err)
{
	static const char word[] = "require";
	const char *comma = text ? strchr(text, ',') : NULL;
	cleanup_free char *number = comma ? strndup(text, (size_t)(comma - text)) : NULL;

	*ret = 0;
	*ret_required = text && !strcmp(comma ? comma + 1 : text, word);
	if (!text)
		return 0;
	if (!comma && *ret_required) {
		*ret = MANIFEST_PARENTS_MAX;
		return 0;
	}
	if ((comma && !*ret_required) || !number_u64(number ? number : text, MANIFEST_PARENTS_MAX, ret) || *ret < 1)
		return err_set(err, ERR_USAGE, "--pre-copy is a number from 1 to %d, %s or both (3,%s), not '%s'",
			       MANIFEST_PARENTS_MAX, word, word, text);
	return 0;
}

/* Members that are numbers. */
static int add_numbers(json_object *top, const struct criu_options *o, struct err *err)
{
	uint64_t pre_copy;
	bool required;

	if (checkpoint_pre_copy(o->pre_copy, &pre_copy, &required, err) < 0)
		return -1;
	if (pre_copy) {
		json_add(top, "preCopy", json_new_uint64(pre_copy));
		json_add_bool(top, "preCopyRequired", required);
	}
	if (o->timeout.set && o->timeout.v == 0)
		return err_set(err, ERR_USAGE, "--timeout: must be at least a second");
	if (o->timeout.set)
		json_add(top, "timeout", json_new_uint64(o->timeout.v));
	return 0;
}

static int fill_options(const struct criu_options *o, const char *criu, int *ret_fd, struct err *err)
{
	const struct {
		const char *key;
		bool v;
	} flags[] = {
		{ "leaveRunning", o->leave_running },
		{ "stay", o->stay || o->to },
		{ "set", o->to != NULL },
		{ "dropExecs", o->drop_execs },
		{ "tcpEstablished", o->tcp_established },
		{ "tcpClose", o->tcp_close },
		{ "tcpSkipInFlight", o->tcp_skip_in_flight },
		{ "shellJob", o->shell_job },
		{ "extUnixSk", o->ext_unix_sk },
		{ "fileLocks", o->file_locks },
		{ "linkRemap", o->link_remap },
		{ "autoDedup", o->auto_dedup },
		{ "emptyNetwork", o->empty_ns != NULL },
		{ "preDump", o->pre_dump },
		{ "lazyPages", o->lazy_pages },
	};
	cleanup_json json_object *top = json_new_object();
	const char *text;

	json_add_string(top, "criu", criu);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		json_add_bool(top, flags[i].key, flags[i].v);
	add_text(top, "manageCgroupsMode", o->manage_cgroups_mode);
	add_text(top, "networkLock", o->network_lock);
	add_text(top, "name", o->name);
	if (o->max_size) {
		uint64_t bytes;
		char number[24];

		if (number_size("--max-size", o->max_size, &bytes, err) < 0)
			return -1;
		snprintf(number, sizeof(number), "%llu", (unsigned long long)bytes);
		add_text(top, "maxBytes", number);
	}
	add_text(top, "lsmProfile", o->lsm_profile);
	add_text(top, "lsmMountContext", o->lsm_mount_context);
	add_text(top, "parentPath", o->parent_path);
	add_text(top, "pageServer", o->page_server);
	add_text(top, "rootfs", o->to && !o->rootfs ? "auto" : o->rootfs);
	add_list(top, "includeBinds", &o->include_bind);
	add_text(top, "files", o->files);
	if (add_numbers(top, o, err) < 0)
		return -1;
	add_list(top, "veths", &o->veth);
	text = json_text(top);
	return memfd_sealed("criu-options", text, strlen(text), ret_fd, err);
}

/* Its number is in our own table: what the caller has not passed on cannot be meant. */
static int take_status_fd(const struct criu_options *o, int *ret_fd, struct err *err)
{
	if (!o->status_fd.set)
		return 0;
	if (!o->lazy_pages)
		return err_set(err, ERR_USAGE, "--status-fd: CRIU writes to it with --lazy-pages only");
	if (o->status_fd.v > INT_MAX || fcntl((int)o->status_fd.v, F_GETFD) < 0)
		return err_set(err, ERR_USAGE, "--status-fd: descriptor %llu is not open",
			       (unsigned long long)o->status_fd.v);
	*ret_fd = (int)o->status_fd.v;
	return 0;
}

int checkpoint_files_open(const struct client *cl, const struct criu_options *o, bool make,
			  struct checkpoint_files *ret, struct err *err)
{
	const char *images = o->image_path ? o->image_path : CHECKPOINT_IMAGE_PATH;
	struct checkpoint_files f cleanup_checkpoint_files = CHECKPOINT_FILES_NONE;
	cleanup_free char *criu = NULL;

	if (take_status_fd(o, &f.status_fd, err) < 0 || checkpoint_find_criu(cl, &criu, err) < 0 ||
	    fill_options(o, criu, &f.options_fd, err) < 0)
		return -1;
	if (image_spare(images, err) < 0 || (o->work_path && image_spare(o->work_path, err) < 0))
		return -1;
	if (path_open_directory(images, make ? &f.images : NULL, &f.images_fd, err) < 0 ||
	    (o->work_path && path_open_directory(o->work_path, &f.work, &f.work_fd, err) < 0)) {
		checkpoint_files_unmake(&f);
		return -1;
	}
	*ret = f;
	f = CHECKPOINT_FILES_NONE;
	return 0;
}

int checkpoint_files_add(const struct checkpoint_files *f, struct handover *h, struct err *err)
{
	if (handover_add(h, FD_IMAGES, f->images_fd, err) < 0 || handover_add(h, FD_OPTIONS, f->options_fd, err) < 0)
		return -1;
	if (f->status_fd >= 0 && handover_add(h, FD_STATUS, f->status_fd, err) < 0)
		return -1;
	return f->work_fd >= 0 ? handover_add(h, FD_WORK, f->work_fd, err) : 0;
}

int checkpoint_image_files(const struct client *cl, const struct criu_options *o, int images_fd, int work_fd,
			   struct checkpoint_files *ret, struct err *err)
{
	struct checkpoint_files f cleanup_checkpoint_files = CHECKPOINT_FILES_NONE;
	cleanup_free char *criu = NULL;

	if (take_status_fd(o, &f.status_fd, err) < 0 || checkpoint_find_criu(cl, &criu, err) < 0)
		return -1;
	f.images_fd = fcntl(images_fd, F_DUPFD_CLOEXEC, 0);
	f.work_fd = fcntl(work_fd, F_DUPFD_CLOEXEC, 0);
	if (f.images_fd < 0 || f.work_fd < 0)
		return err_sys(err, "cannot duplicate a descriptor");
	if (fill_options(o, criu, &f.options_fd, err) < 0)
		return -1;
	*ret = f;
	f = CHECKPOINT_FILES_NONE;
	return 0;
}
