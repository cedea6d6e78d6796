/* SPDX-License-Identifier: Apache-2.0 */
/* Pausing on a v2 group made of plain files: what happens when the kernel is late, and when it never comes to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/proc.h"
#include "shim/container/container_internal.h"
#include "shim/sandbox/cgroup.h"

struct fixture {
	char dir[64];
	struct event_base *base;
	struct container *c;
	int calls;
	struct err said; /* code 0: success */
	struct timeval called_at;
};

static void put(const struct fixture *f, const char *name, const char *text)
{
	cleanup_free char *path = xasprintf("%s/%s", f->dir, name);
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static char *get(const struct fixture *f, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", f->dir, name);
	struct err err;
	char *text;

	assert_int_equal(fd_read_file_at(AT_FDCWD, path, 4096, &text, &err), 0);
	return text;
}

/* A running container whose init is this process. */
static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	const struct container_ops ops = { 0 };
	struct proc_stat st;
	struct err err;

	snprintf(f->dir, sizeof(f->dir), "/tmp/pause_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	put(f, "cgroup.freeze", "0\n");
	put(f, "cgroup.events", "populated 1\nfrozen 0\n");
	f->base = event_base_new();
	f->c = container_new(f->base, -1, "x", &ops, NULL);
	f->c->cgroup = cgroup_rebuild();
	cgroup_rebuild_add(f->c->cgroup, "", f->dir, 0);
	assert_int_equal(proc_stat(getpid(), &st, &err), 0);
	f->c->rec.status = STATUS_RUNNING;
	f->c->rec.init_pid = getpid();
	f->c->rec.init_start_time = st.start_time;
	assert_int_equal(proc_boot_id(f->c->rec.boot_id, &err), 0);
	snprintf(f->c->rec.freezer, sizeof(f->c->rec.freezer), "%s", f->dir);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = { "cgroup.freeze", "cgroup.events" };

	container_free(f->c);
	event_base_free(f->base);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *path = xasprintf("%s/%s", f->dir, names[i]);

		unlink(path);
	}
	rmdir(f->dir);
	free(f);
	return 0;
}

static void done(void *arg, const struct err *err)
{
	struct fixture *f = arg;

	f->calls++;
	f->said = err ? *err : (struct err) { 0 };
	event_base_gettimeofday_cached(f->base, &f->called_at);
	event_base_loopbreak(f->base);
}

static double run(struct fixture *f)
{
	struct timeval start;

	gettimeofday(&start, NULL);
	event_base_dispatch(f->base);
	return (double)(f->called_at.tv_sec - start.tv_sec) + (double)(f->called_at.tv_usec - start.tv_usec) / 1e6;
}

static void what_does_not_freeze_is_thawed(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *freeze = NULL;
	struct err err = { 0 };
	double took;

	assert_int_equal(container_pause(f->c, true, done, f, &err), 0);
	assert_false(container_is_idle(f->c));
	took = run(f);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->said.code, ERR_BUSY);
	assert_string_equal(f->said.text, "cannot pause container 'x': its processes did not stop within 2000 ms");
	assert_true(took > 1.9 && took < 10);
	freeze = get(f, "cgroup.freeze");
	assert_string_equal(freeze, "0\n");
	assert_true(container_is_idle(f->c));
	assert_int_equal(container_status(f->c), STATUS_RUNNING);
}

static void freeze_cb(evutil_socket_t fd, short what, void *arg)
{
	put(arg, "cgroup.events", "populated 1\nfrozen 1\n");
}

static void the_kernels_word_is_heard_when_it_comes(void **state)
{
	struct fixture *f = *state;
	const struct timeval later = { .tv_usec = 50000 };
	cleanup_free char *freeze = NULL;
	struct err err = { 0 };
	double took;

	assert_int_equal(event_base_once(f->base, -1, EV_TIMEOUT, freeze_cb, f, &later), 0);
	assert_int_equal(container_pause(f->c, true, done, f, &err), 0);
	took = run(f);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->said.code, ERR_NONE);
	assert_true(took < 1.5);
	freeze = get(f, "cgroup.freeze");
	assert_string_equal(freeze, "1\n");
	assert_int_equal(container_status(f->c), STATUS_PAUSED);
}

static void one_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(container_pause(f->c, true, done, f, &err), 0);
	assert_int_equal(container_pause(f->c, true, done, f, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	assert_string_equal(err.text, "cannot pause container 'x': it is being paused");
	assert_int_equal(container_pause(f->c, false, done, f, &err), -1);
	assert_string_equal(err.text, "cannot resume container 'x': it is being paused");
}

/* A shim that was killed between its write and the kernel's answer: frozen or not, a resume helps. */
static void a_pause_that_was_cut_short_can_be_resumed(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	put(f, "cgroup.freeze", "1\n");
	assert_int_equal(container_status(f->c), STATUS_RUNNING);
	assert_int_equal(container_pause(f->c, false, done, f, &err), 0);
	run(f);
	assert_int_equal(f->said.code, ERR_NONE);
}

static void frozen_from_above_cannot_be_resumed(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	put(f, "cgroup.events", "populated 1\nfrozen 1\n");
	assert_int_equal(container_pause(f->c, false, done, f, &err), 0);
	run(f);
	assert_int_equal(f->said.code, ERR_BUSY);
	assert_non_null(strstr(f->said.text, "still frozen"));
}

/* ---- with the kernel ---------------------------------------------------------------------------------- */

static char *make_group(void)
{
	static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		cleanup_free char *file = xasprintf("%s/cgroup.subtree_control", mounts[i]);
		char *dir = xasprintf("%s/thole-pause-test-%d", mounts[i], (int)getpid());

		if (access(file, W_OK) == 0 && mkdir(dir, 0755) == 0)
			return dir;
		free(dir);
	}
	return NULL;
}

static pid_t sleeper_in(const char *dir)
{
	cleanup_free char *procs = xasprintf("%s/cgroup.procs", dir), *text = NULL;
	pid_t pid = fork();
	struct err err;

	assert_int_not_equal(pid, -1);
	if (pid == 0)
		for (;;)
			pause();
	text = xasprintf("%d", (int)pid);
	assert_int_equal(fd_write_file_at(AT_FDCWD, procs, text, &err), 0);
	return pid;
}

static void a_real_v2_group_is_frozen_thawed_and_killed(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *dir = make_group();
	struct err err = { 0 };
	struct cgroup_pids pids;
	int status;
	pid_t pid;

	if (!dir) {
		print_message("no cgroup v2 that can be written to: not tried with the kernel\n");
		skip();
	}
	pid = sleeper_in(dir);
	cgroup_free(f->c->cgroup);
	f->c->cgroup = cgroup_rebuild();
	cgroup_rebuild_add(f->c->cgroup, "", dir, 0);
	snprintf(f->c->rec.freezer, sizeof(f->c->rec.freezer), "%s", dir);

	assert_int_equal(container_pause(f->c, true, done, f, &err), 0);
	assert_true(run(f) < 1.5);
	assert_int_equal(f->said.code, ERR_NONE);
	assert_int_equal(container_status(f->c), STATUS_PAUSED);
	assert_int_equal(container_pause(f->c, false, done, f, &err), 0);
	assert_true(run(f) < 1.5);
	assert_int_equal(f->said.code, ERR_NONE);
	assert_int_equal(container_status(f->c), STATUS_RUNNING);

	pids = cgroup_pids(f->c->cgroup);
	assert_int_equal(pids.n, 1);
	assert_int_equal(pids.v[0], pid);
	free(pids.v);

	/* v2 lets the killed die although they are frozen. */
	assert_int_equal(container_pause(f->c, true, done, f, &err), 0);
	run(f);
	assert_int_equal(cgroup_kill(f->c->cgroup, SIGKILL, &err), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(rmdir(dir), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_does_not_freeze_is_thawed),
		TEST(the_kernels_word_is_heard_when_it_comes),
		TEST(one_at_a_time),
		TEST(a_pause_that_was_cut_short_can_be_resumed),
		TEST(frozen_from_above_cannot_be_resumed),
		TEST(a_real_v2_group_is_frozen_thawed_and_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
