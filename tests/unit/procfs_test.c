/* SPDX-License-Identifier: Apache-2.0 */
/* Writes below /proc reach a proc file system or nothing, whatever is mounted over it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/sandbox/procfs.h"
#include "shim/sandbox/seccomp.h"

static int must_open(enum procfs_scope scope)
{
	struct err err = { 0 };
	struct statfs fs;
	int fd = -1;

	if (procfs_open(scope, &fd, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(fstatfs(fd, &fs), 0);
	assert_int_equal(fs.f_type, PROC_SUPER_MAGIC);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	return fd;
}

static void handle_has_what_was_asked_for(void **state)
{
	int pids = must_open(PROCFS_PIDS), all = must_open(PROCFS_ALL);

	assert_int_equal(faccessat(all, "sys/kernel", F_OK, 0), 0);
	assert_int_equal(faccessat(all, "self/status", F_OK, 0), 0);
	assert_int_equal(faccessat(pids, "self/status", F_OK, 0), 0);
	assert_int_equal(faccessat(pids, "sys", F_OK, 0), -1);
	close(pids);
	close(all);
}

static void expect_name(const char *name)
{
	char now[16];

	prctl(PR_GET_NAME, now);
	assert_string_equal(now, name);
}

static void writes_arrive(void **state)
{
	int fd = must_open(PROCFS_PIDS);
	struct err err = { 0 };
	char path[64], old[16];

	prctl(PR_GET_NAME, old);
	assert_int_equal(procfs_write(fd, "self/comm", "one", &err), 0);
	expect_name("one");
	assert_int_equal(procfs_write(fd, "thread-self/comm", "two", &err), 0);
	expect_name("two");
	snprintf(path, sizeof(path), "%d/task/%d/comm", (int)getpid(), (int)getpid());
	assert_int_equal(procfs_write(fd, path, "three", &err), 0);
	expect_name("three");
	prctl(PR_SET_NAME, old);
	close(fd);
}

static void refused(int fd, const char *path, int sys_errno)
{
	struct err err = { 0 };

	if (procfs_write(fd, path, "x", &err) == 0)
		fail_msg("written: %s", path);
	if (err.sys_errno != sys_errno)
		fail_msg("%s: %s", path, err.text);
}

static void links_and_ways_out_are_refused(void **state)
{
	int fd = must_open(PROCFS_ALL), file;
	char path[300], temp[] = "/tmp/procfs_test.XXXXXX";
	struct stat st;

	file = mkstemp(temp);
	assert_true(file >= 0);
	snprintf(path, sizeof(path), "self/fd/%d", file);
	refused(fd, path, ELOOP);
	snprintf(path, sizeof(path), "self/root%s", temp);
	refused(fd, path, ELOOP);
	snprintf(path, sizeof(path), "..%s", temp);
	refused(fd, path, EXDEV);
	refused(fd, temp, EXDEV);
	refused(fd, "mounts", ELOOP);
	refused(fd, "self", ELOOP);
	refused(fd, "self/no_such", ENOENT);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	refused(fd, path, ENAMETOOLONG);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_size, 0);
	close(file);
	unlink(temp);
	close(fd);
}

/* ---- in mount namespaces of their own ---- */

#define CHECK(x)                                                                                                       \
	do {                                                                                                           \
		if (!(x)) {                                                                                            \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                        \
			end_child(1);                                                                                  \
		}                                                                                                      \
	} while (0)

/* Without the leak check of the sanitizers, which needs /proc. */
static void end_child(int status)
{
	for (;;)
		syscall(SYS_exit_group, status);
}

static void in_namespace(void (*act)(void))
{
	int status;
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		CHECK(unshare(CLONE_NEWNS) == 0);
		CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
		act();
		end_child(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A file that takes whatever is meant for the kernel. */
static int decoy(char *path)
{
	int fd;

	CHECK(mount("tmpfs", "/mnt", "tmpfs", 0, NULL) == 0);
	strcpy(path, "/mnt/decoy");
	fd = open(path, O_RDWR | O_CREAT, 0666);
	CHECK(fd >= 0);
	return fd;
}

static void act_over_a_file(void)
{
	char path[64], name[16];
	int file = decoy(path), detached, mounted = open("/proc", O_PATH | O_DIRECTORY);
	struct err err = { 0 };
	struct stat st;

	CHECK(mount(path, "/proc/self/comm", NULL, MS_BIND, NULL) == 0);
	/* The host's /proc, as it is after the attack: refused, nothing written. */
	CHECK(procfs_write(mounted, "self/comm", "caught", &err) == -1);
	CHECK(err.sys_errno == EXDEV);
	/* One of our own: not touched by it. */
	CHECK(procfs_open(PROCFS_PIDS, &detached, &err) == 0);
	CHECK(procfs_write(detached, "self/comm", "free", &err) == 0);
	prctl(PR_GET_NAME, name);
	CHECK(!strcmp(name, "free"));
	CHECK(fstat(file, &st) == 0 && st.st_size == 0);
}

static void act_over_proc(void)
{
	char name[16];
	struct err err = { 0 };
	int fd;

	CHECK(mount("tmpfs", "/proc", "tmpfs", 0, NULL) == 0);
	CHECK(procfs_open(PROCFS_ALL, &fd, &err) == 0);
	CHECK(procfs_write(fd, "thread-self/comm", "real", &err) == 0);
	prctl(PR_GET_NAME, name);
	CHECK(!strcmp(name, "real"));
	/* A handle that is not of a proc file system at all. */
	CHECK(mkdir("/proc/1", 0755) == 0);
	CHECK(close(open("/proc/1/comm", O_CREAT | O_WRONLY, 0666)) == 0);
	fd = open("/proc", O_PATH | O_DIRECTORY);
	CHECK(procfs_write(fd, "1/comm", "x", &err) == -1);
	CHECK(err.code == ERR_PERMISSION);
	CHECK(!strcmp(err.text, "'1/comm' is not in a proc file system"));
}

static void mounts_over_proc_catch_nothing(void **state)
{
	in_namespace(act_over_a_file);
	in_namespace(act_over_proc);
}

/* As where a new proc mount is refused: in a user namespace of somebody who masks /proc, or under a filter. */
static void deny_fsopen(void)
{
	char *name = "fsopen";
	struct oci_seccomp_rule rule = { .names = { 1, &name }, .action = "SCMP_ACT_ERRNO" };
	struct oci_seccomp s = { .set = true, .default_action = "SCMP_ACT_ALLOW", .n_rules = 1, .rules = &rule };
	struct seccomp_program p;
	struct err err;

	CHECK(seccomp_compile(&s, &p, &err) == 0);
	CHECK(child_seccomp_load(&p, NULL, &err) == 0);
	CHECK(fsopen("proc", 0) == -1 && errno == EPERM);
}

static void act_without_fsopen(void)
{
	struct err err = { 0 };
	int fd = -1, dir;

	deny_fsopen();
	CHECK(procfs_open(PROCFS_PIDS, &fd, &err) == 0);
	CHECK(procfs_write(fd, "self/comm", "mounted", &err) == 0);
	/* A directory of proc over /proc: its files would be those of one process, under other names. */
	dir = open("/proc/self/task", O_PATH | O_DIRECTORY);
	CHECK(dir >= 0);
	CHECK(mount("/proc/self/task", "/proc", NULL, MS_BIND, NULL) == 0);
	CHECK(procfs_open(PROCFS_PIDS, &fd, &err) == -1);
	CHECK(err.code == ERR_PERMISSION && !strcmp(err.text, "'/proc' is not the root of a proc file system"));
	CHECK(mount("tmpfs", "/proc", "tmpfs", 0, NULL) == 0);
	CHECK(procfs_open(PROCFS_PIDS, &fd, &err) == -1);
	CHECK(err.code == ERR_PERMISSION && !strcmp(err.text, "'/proc' is not in a proc file system"));
}

static void fallback_is_checked(void **state)
{
	in_namespace(act_without_fsopen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handle_has_what_was_asked_for),
		cmocka_unit_test(writes_arrive),
		cmocka_unit_test(links_and_ways_out_are_refused),
		cmocka_unit_test(mounts_over_proc_catch_nothing),
		cmocka_unit_test(fallback_is_checked),
	};

	if (geteuid() != 0) {
		puts("1..1\nok 1 - procfs # skip needs: root");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
