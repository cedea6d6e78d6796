/* SPDX-License-Identifier: Apache-2.0 */
/* An image of a set: what is known of the container at its moment, the room that it takes, and the worker that seals it. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "shim/checkpoint/areas.h"
#include "shim/checkpoint/openfiles.h"
#include "shim/checkpoint/options.h"
#include "shim/checkpoint/seal.h"
#include "shim/checkpoint/worker.h"
#include "shim/container/container_internal.h"
#include "shim/container/sealing.h"
#include "shim/sandbox/cgroup.h"

#define SPARE_BYTES (4 << 20) /* what criu writes beside the memory */

/* What a worker finds out, in memory that it shares with us. */
struct found {
	struct capture_size size;
	bool cloned;
};

struct sealing {
	struct container *c;
	struct manifest manifest;
	struct seal seal;
	int work_fd;              /* borrowed: where criu leaves its figures */
	struct capture_plan plan; /* of files; empty: none */
	enum capture_how how;
	struct found *found;
	struct worker *worker;
	int (*then)(struct sealing *s, struct err *err); /* when the worker is through; NULL: nothing */
	struct pending done;
};

void sealing_free(struct sealing *s)
{
	if (!s)
		return;
	worker_free(s->worker);
	manifest_release(&s->manifest);
	capture_plan_release(&s->plan);
	if (s->found)
		munmap(s->found, sizeof(*s->found));
	free(s);
}

/* ---- what is said of it ---------------------------------------------------------------------------------------------------- */

/* 20261125T031500.123Z: sorts as the times do. */
static void name_by_time(uint64_t ns, char *ret, size_t size)
{
	time_t sec = (time_t)(ns / 1000000000u);
	char text[32];
	struct tm tm;

	gmtime_r(&sec, &tm);
	strftime(text, sizeof(text), "%Y%m%dT%H%M%S", &tm);
	snprintf(ret, size, "%s.%03uZ", text, (unsigned int)(ns / 1000000u % 1000u));
}

static void describe_host(struct manifest *m)
{
	struct utsname u;

	uname(&u);
	snprintf(m->kernel, sizeof(m->kernel), "%s", u.release);
	snprintf(m->architecture, sizeof(m->architecture), "%s", u.machine);
	snprintf(m->thole, sizeof(m->thole), "%s", THOLE_VERSION);
}

static int describe(struct container *c, const struct checkpoint_options *o, struct manifest *m, struct err *err)
{
	cleanup_free char *config = NULL;
	struct stat st;

	if (statedir_read_file(c->dir_fd, STATEDIR_CONFIG, OCI_CONFIG_MAX, &config, err) < 0)
		return -1;
	if (stat(c->rec.rootfs, &st) < 0)
		return err_sys(err, "cannot look at '%s'", c->rec.rootfs);
	*m = (struct manifest) {
		.created_ns = clock_wall_ns(),
		.rootfs_device = st.st_dev,
		.rootfs_inode = st.st_ino,
		.running = o->leave_running,
		.tcp_established = o->tcp_established,
		.tcp_close = o->tcp_close,
		.shell_job = o->shell_job,
		.ext_unix_sk = o->ext_unix_sk,
		.file_locks = o->file_locks,
		.capture = "none",
	};
	snprintf(m->id, sizeof(m->id), "%s", c->id);
	snprintf(m->rootfs, sizeof(m->rootfs), "%s", c->rec.rootfs);
	sha256_text(config, strlen(config), m->config);
	if (o->name)
		snprintf(m->name, sizeof(m->name), "%s", o->name);
	else
		name_by_time(m->created_ns, m->name, sizeof(m->name));
	describe_host(m);
	return 0;
}

/* ---- the room ---------------------------------------------------------------------------------------------------------------- */

/* What a line "NAME:  123 kB" of a process's status says, in bytes. */
static uint64_t status_bytes(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

uint64_t container_memory(struct container *c)
{
	struct cgroup_pids pids = { 0 };
	uint64_t bytes = SPARE_BYTES;

	if (c->cgroup)
		pids = cgroup_pids(c->cgroup);

	for (size_t i = 0; i < pids.n; i++) {
		cleanup_free char *text = NULL;
		char path[40];
		struct err ignored;

		snprintf(path, sizeof(path), "/proc/%d/status", (int)pids.v[i]);
		if (fd_read_file_at(AT_FDCWD, path, 16384, &text, &ignored) == 0)
			bytes += status_bytes(text, "\nRssAnon:") + status_bytes(text, "\nRssShmem:");
	}
	free(pids.v);
	return bytes;
}

/* "about 12 MiB of memory", with its files if these are captured. */
static char *needs_text(uint64_t memory, uint64_t files)
{
	if (!files)
		return xasprintf("about %llu MiB of memory", (unsigned long long)memory >> 20);
	return xasprintf("about %llu MiB of memory and %llu MiB of files", (unsigned long long)memory >> 20,
			 (unsigned long long)files >> 20);
}

static int check_room(const struct sealing *s, struct capture_size files, struct err *err)
{
	uint64_t memory = container_memory(s->c), need = memory + files.bytes, free_bytes, limit = s->seal.limit_bytes;
	cleanup_free char *needs = needs_text(memory, files.bytes), *all = needs_text(memory, files.with_holes);
	struct statvfs fs;

	if (fstatvfs(s->seal.set_fd, &fs) < 0)
		return err_sys(err, "cannot ask for the room on the set's file system");
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	/* Clones take none. */
	if ((s->how == CAPTURE_REFLINK ? memory : need) > free_bytes)
		return err_sysno(err, ENOSPC, "the container has %s, and %llu MiB are free", needs,
				 (unsigned long long)free_bytes >> 20);
	if (limit && memory + files.with_holes - SPARE_BYTES > limit)
		return err_set(err, ERR_LIMIT, "the container has %s%s, and the set may have no more than %llu %s", all,
			       files.with_holes > files.bytes ? " (their holes count)" : "",
			       (unsigned long long)limit >> (limit >> 20 ? 20 : 10), limit >> 20 ? "MiB" : "KiB");
	return 0;
}

/* ---- the files ----------------------------------------------------------------------------------------------------------------- */

static struct areas areas_of(const struct container *c)
{
	return (struct areas) { .config = c->config, .bundle = c->rec.bundle, .rootfs = c->rec.rootfs };
}

static int plan_capture(struct sealing *s, const struct checkpoint_options *o, struct err *err)
{
	const struct areas areas = areas_of(s->c);

	if (!o->rootfs || !strcmp(o->rootfs, "none"))
		return o->include_binds.n == 0
			       ? 0
			       : err_set(err, ERR_USAGE, "--include-bind and --rootfs=none contradict each other");
	s->how = !strcmp(o->rootfs, "reflink") ? CAPTURE_REFLINK
		 : !strcmp(o->rootfs, "copy")  ? CAPTURE_COPY
					       : CAPTURE_AUTO;
	if (areas_plan(&areas, &o->include_binds, &s->plan, err) < 0)
		return -1;
	s->plan.init = s->c->init.pid;
	s->found = mmap(NULL, sizeof(*s->found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->found != MAP_FAILED)
		return 0;
	s->found = NULL;
	return err_sys(err, "cannot map memory");
}

/* ---- the object ---------------------------------------------------------------------------------------------------------------- */

int sealing_new(struct container *c, const struct checkpoint_options *o, int set_fd, struct sealing **ret,
		struct err *err)
{
	struct sealing *s = xcalloc(1, sizeof(*s));

	s->c = c;
	s->seal = (struct seal) { .set_fd = set_fd,
				  .new_fd = -1,
				  .m = &s->manifest,
				  .limit_bytes = o->max_bytes ? strtoull(o->max_bytes, NULL, 10) : 0 };
	if (describe(c, o, &s->manifest, err) < 0 || plan_capture(s, o, err) < 0 ||
	    check_room(s, (struct capture_size) { 0 }, err) < 0) {
		sealing_free(s);
		return -1;
	}
	if (faccessat(set_fd, s->manifest.name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		err_set(err, ERR_EXISTS, "there is an image '%s' in the set already", s->manifest.name);
		sealing_free(s);
		return -1;
	}
	*ret = s;
	return 0;
}

const char *sealing_name(const struct sealing *s)
{
	return s->manifest.name;
}

struct manifest *sealing_manifest(struct sealing *s)
{
	return &s->manifest;
}

static int run(void *arg, struct err *err)
{
	struct sealing *s = arg;

	/* There are none yet when it is sealed before its processes have ended. */
	seal_statistics(s->work_fd, &s->manifest.statistics);
	return seal_image(&s->seal, err);
}

static void worker_done(void *arg, const struct err *failure)
{
	struct sealing *s = arg;
	struct err err;

	worker_free(s->worker);
	s->worker = NULL;
	if (!failure && s->then && s->then(s, &err) < 0)
		failure = &err;
	s->done.cb(s->done.arg, failure);
}

static int measure(void *arg, struct err *err)
{
	struct sealing *s = arg;

	if (areas_refuse_inside(&s->plan, s->seal.set_fd, "the set", err) < 0)
		return -1;
	return capture_measure(&s->plan, &s->found->size, err);
}

static int measured(struct sealing *s, struct err *err)
{
	return check_room(s, s->found->size, err);
}

bool sealing_captures(const struct sealing *s)
{
	return s && s->plan.n > 0;
}

int sealing_measure(struct sealing *s, container_done_cb *done_cb, void *done_arg, struct err *err)
{
	const int fds[] = { s->seal.set_fd };
	const struct worker_task task = {
		.run = measure, .done_cb = worker_done, .arg = s, .done_arg = s, .fds = fds, .n_fds = ARRAY_SIZE(fds)
	};

	s->then = measured;
	s->done = (struct pending) { done_cb, done_arg };
	return worker_start(s->c->base, &task, &s->worker, err);
}

static int capture(void *arg, struct err *err)
{
	struct sealing *s = arg;

	return capture_write(&s->plan, s->how, s->seal.new_fd, &s->found->cloned, err);
}

static int captured(struct sealing *s, struct err *err)
{
	snprintf(s->manifest.capture, sizeof(s->manifest.capture), "%s", s->found->cloned ? "reflink" : "copy");
	return 0;
}

int sealing_capture(struct sealing *s, int new_fd, container_done_cb *done_cb, void *done_arg, struct err *err)
{
	const int fds[] = { new_fd };
	const struct worker_task task = {
		.run = capture, .done_cb = worker_done, .arg = s, .done_arg = s, .fds = fds, .n_fds = ARRAY_SIZE(fds)
	};

	s->seal.new_fd = new_fd;
	s->then = captured;
	s->done = (struct pending) { done_cb, done_arg };
	return worker_start(s->c->base, &task, &s->worker, err);
}

void sealing_note_files(struct sealing *s)
{
	const struct areas areas = areas_of(s->c);
	struct cgroup_pids pids = cgroup_pids(s->c->cgroup);

	openfiles_note(&areas, pids.v, pids.n, &s->manifest);
	free(pids.v);
}

int sealing_start(struct sealing *s, int new_fd, int work_fd, int criu_version, container_done_cb *done_cb,
		  void *done_arg, struct err *err)
{
	const int fds[] = { s->seal.set_fd, new_fd, work_fd };
	const struct worker_task task = {
		.run = run, .done_cb = worker_done, .arg = s, .done_arg = s, .fds = fds, .n_fds = ARRAY_SIZE(fds)
	};

	s->seal.new_fd = new_fd;
	s->work_fd = work_fd;
	s->then = NULL;
	s->done = (struct pending) { done_cb, done_arg };
	snprintf(s->manifest.criu, sizeof(s->manifest.criu), "%d.%d.%d", criu_version / 10000, criu_version / 100 % 100,
		 criu_version % 100);
	return worker_start(s->c->base, &task, &s->worker, err);
}

bool sealing_runs(const struct sealing *s)
{
	return s && s->worker;
}

void sealing_kill(struct sealing *s)
{
	worker_kill(s->worker);
}

void sealing_note_statistics(struct sealing *s)
{
	struct manifest_statistics figures;
	struct err err;

	seal_statistics(s->work_fd, &figures);
	if (figures.known && seal_add_statistics(s->seal.new_fd, &figures, &err) < 0)
		log_warn("container '%s': criu's figures are missing from image '%s': %s", s->c->id, s->manifest.name,
			 err.text);
}
