/* SPDX-License-Identifier: Apache-2.0 */
/* What a checkpoint is told and what an image says of itself: options, keys, and a directory that changes whole or not at all. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/checkpoint/capture.h"
#include "shim/checkpoint/descriptors.h"
#include "shim/checkpoint/distrust.h"
#include "shim/checkpoint/image.h"
#include "shim/checkpoint/options.h"
#include "shim/checkpoint/pax.h"
#include "shim/checkpoint/seal.h"

struct dir {
	char path[40];
	int fd;
};

static struct dir dir_new(void)
{
	struct dir d = { .path = "/tmp/thole-image.XXXXXX" };

	assert_non_null(mkdtemp(d.path));
	d.fd = open(d.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(d.fd >= 0);
	return d;
}

static void dir_free(struct dir *d)
{
	static const char *const names[] = { "inventory.img",    "core-1.img", "old.img",
					     "descriptors.json", "dump.log",   "parent" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlinkat(d->fd, names[i], 0);
	fd_close(&d->fd);
	assert_int_equal(rmdir(d->path), 0);
}

static void put(int dir_fd, const char *name, const char *text)
{
	struct err err;

	assert_int_equal(fd_replace_file_at(dir_fd, name, text, strlen(text), 0600, &err), 0);
}

static bool has(int dir_fd, const char *name, const char *text)
{
	cleanup_free char *got = NULL;
	struct err err;

	return fd_read_file_at(dir_fd, name, 4096, &got, &err) == 0 && !strcmp(got, text);
}

static void test_options(void **state)
{
	static const struct {
		const char *text;
		ErrCode code;
	} bad[] = {
		{ "", ERR_CONFIG },
		{ "[]", ERR_PROTOCOL },
		{ "{}", ERR_PROTOCOL },
		{ "{\"criu\":\"criu\"}", ERR_PROTOCOL },
		{ "{\"criu\":3}", ERR_PROTOCOL },
		{ "{\"criu\":\"/c\",\"leaveRunning\":1}", ERR_PROTOCOL },
		{ "{\"criu\":\"/c\",\"networkLock\":\"no\"}", ERR_USAGE },
		{ "{\"criu\":\"/c\",\"manageCgroupsMode\":\"x\"}", ERR_USAGE },
		{ "{\"criu\":\"/c\",\"tcpEstablished\":true,\"tcpClose\":true}", ERR_USAGE },
	};
	static const char good[] = "{\"criu\":\"/c\",\"fileLocks\":true,\"networkLock\":\"skip\",\"newer\":[]}";
	struct checkpoint_options o;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err.code = ERR_NONE;
		assert_int_equal(checkpoint_options_parse(bad[i].text, strlen(bad[i].text), &o, &err), -1);
		assert_int_equal(err.code, bad[i].code);
		checkpoint_options_release(&o);
	}
	assert_int_equal(checkpoint_options_parse(good, strlen(good), &o, &err), 0);
	assert_string_equal(o.criu, "/c");
	assert_string_equal(o.network_lock, "skip");
	assert_true(o.file_locks && !o.leave_running);
	checkpoint_options_release(&o);
}

static void test_descriptors(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"[\"a\",\"b\"]",
		"[\"a\",\"b\",3]",
		"[\"a\",\"b\",\"0123456789012345678901234567890123456789012345678901234567890123456789\"]"
	};
	const struct descriptors d = { .key = { "/dev/null", "pipe:[7]", "pipe:[8]" } };
	struct descriptors got;
	struct dir dir = dir_new();
	struct err err;

	assert_int_equal(descriptors_read(dir.fd, &got, &err), -1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put(dir.fd, DESCRIPTORS_FILE, bad[i]);
		assert_int_equal(descriptors_read(dir.fd, &got, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
	}
	assert_int_equal(descriptors_write(dir.fd, &d, &err), 0);
	assert_true(has(dir.fd, DESCRIPTORS_FILE, "[\"/dev/null\",\"pipe:[7]\",\"pipe:[8]\"]"));
	assert_int_equal(descriptors_read(dir.fd, &got, &err), 0);
	assert_string_equal(got.key[2], "pipe:[8]");
	dir_free(&dir);
}

/* A pipe whose other end this process has is one to outside for everybody else, and for nobody when it is mapped or both ends are inside. */
static void test_outside(void **state)
{
	struct descriptors d = { .key = { "", "", "" } };
	struct err err;
	struct stat st;
	char own[DESCRIPTORS_KEY_MAX];
	int fds[2];
	pid_t child, reader;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fstat(fds[1], &st), 0);
	snprintf(own, sizeof(own), "pipe:[%llu]", (unsigned long long)st.st_ino);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Also pipes to whoever runs the tests. */
		close_range(0, (unsigned int)fds[1] - 1, 0);
		close_range((unsigned int)fds[1] + 1, ~0u, 0);
		pause();
		_exit(0);
	}
	fd_close(&fds[1]);
	/* Until the child has closed its read end both ends are in it, which is fine. */
	while (descriptors_check(&d, 1, &child, 1, &err) == 0 || !strstr(err.text, own))
		sched_yield();
	/* Here it is this process that reads: a shim does, of what an exec'd process has left behind. */
	assert_int_equal(err.code, ERR_BUSY);
	reader = fork();
	if (reader == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_range(0, (unsigned int)fds[0] - 1, 0);
		close_range((unsigned int)fds[0] + 1, ~0u, 0);
		pause();
		_exit(0);
	}
	fd_close(&fds[0]);
	assert_int_equal(descriptors_check(&d, 1, &child, 1, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, own));
	snprintf(d.key[1], sizeof(d.key[1]), "%s", own);
	assert_int_equal(descriptors_check(&d, 1, &child, 1, &err), 0);
	d.key[1][0] = '\0';
	kill(reader, SIGKILL);
	waitpid(reader, NULL, 0);
	assert_int_equal(descriptors_check(&d, 1, &child, 1, &err), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void test_image(void **state)
{
	struct dir dir = dir_new();
	cleanup_fd int new_fd = -1;
	struct err err;

	assert_int_equal(image_check(dir.fd, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	put(dir.fd, "inventory.img", "old");
	put(dir.fd, "old.img", "old");
	put(dir.fd, "dump.log", "log");
	/* Given up: nothing has changed. */
	assert_int_equal(image_begin(dir.fd, &new_fd, &err), 0);
	put(new_fd, "inventory.img", "new");
	put(new_fd, "core-1.img", "new");
	image_end(dir.fd);
	assert_true(has(dir.fd, "inventory.img", "old") && has(dir.fd, "old.img", "old"));
	fd_close(&new_fd);
	/* One that was killed has left its directory: what is in it is not taken for ours. */
	assert_int_equal(image_begin(dir.fd, &new_fd, &err), 0);
	put(new_fd, "stale.img", "stale");
	fd_close(&new_fd);
	assert_int_equal(image_begin(dir.fd, &new_fd, &err), 0);
	put(new_fd, "inventory.img", "new");
	put(new_fd, "core-1.img", "new");
	assert_int_equal(image_commit(dir.fd, new_fd, &err), 0);
	image_end(dir.fd);
	assert_true(has(dir.fd, "inventory.img", "new") && has(dir.fd, "core-1.img", "new") &&
		    has(dir.fd, "dump.log", "log"));
	assert_int_equal(faccessat(dir.fd, "old.img", F_OK, 0), -1);
	assert_int_equal(faccessat(dir.fd, "stale.img", F_OK, 0), -1);
	assert_int_equal(image_check(dir.fd, &err), 0);
	dir_free(&dir);
}

static void expect_distrusted(int dir_fd, const char *name)
{
	struct err err;

	assert_int_equal(distrust_image(dir_fd, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.text, name));
	unlinkat(dir_fd, name, 0);
	assert_int_equal(distrust_image(dir_fd, &err), 0);
}

static void test_distrust(void **state)
{
	struct dir dir = dir_new();
	struct err err;

	put(dir.fd, "inventory.img", "x");
	assert_int_equal(symlinkat("../before", dir.fd, "parent"), 0);
	assert_int_equal(mkdirat(dir.fd, "d", 0700), 0);
	assert_int_equal(distrust_image(dir.fd, &err), 0);
	assert_int_equal(symlinkat("/etc/passwd", dir.fd, "restore.log"), 0);
	expect_distrusted(dir.fd, "restore.log");
	assert_int_equal(symlinkat("nowhere", dir.fd, "stats-restore"), 0);
	expect_distrusted(dir.fd, "stats-restore");
	assert_int_equal(mkfifoat(dir.fd, "descriptors.json", 0600), 0);
	expect_distrusted(dir.fd, "descriptors.json");
	unlinkat(dir.fd, "d", AT_REMOVEDIR);
	dir_free(&dir);
}

static void test_explain(void **state)
{
	struct dir dir = dir_new();
	struct err err;

	put(dir.fd, "dump.log",
	    "(00.001) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted\n"
	    "(00.002) fine\n"
	    "(00.003) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established "
	    "option.\n"
	    "(00.004) Error (criu/cr-dump.c:2128): Dumping FAILED.\n");
	err_set(&err, ERR_GONE, "criu has failed");
	image_explain(dir.fd, "dump.log", &err);
	assert_int_equal(err.code, ERR_GONE);
	assert_non_null(strstr(err.text, "criu has failed: inet: Connected TCP socket"));
	assert_non_null(strstr(err.text, "--tcp-close drops it"));
	assert_non_null(strstr(err.text, "/dump.log)"));
	assert_null(strstr(err.text, "RLIMIT"));
	assert_null(strstr(err.text, "FAILED"));
	/* Two causes of one complaint. */
	put(dir.fd, "dump.log", "(00.1) Error (criu/cr-restore.c:1): Can't fork for 7: File exists\n");
	err_set(&err, ERR_CRIU, "criu has failed");
	image_explain(dir.fd, "dump.log", &err);
	assert_non_null(strstr(err.text, "is taken"));
	put(dir.fd, "dump.log",
	    "(00.1) Error (criu/cr-restore.c:1): Can't fork for 7: Resource temporarily unavailable\n");
	err_set(&err, ERR_CRIU, "criu has failed");
	image_explain(dir.fd, "dump.log", &err);
	assert_null(strstr(err.text, "is taken"));
	assert_non_null(strstr(err.text, "no more processes"));
	dir_free(&dir);
}

/* Files come and go below dir_fd until somebody kills it. */
static pid_t churn(int dir_fd)
{
	pid_t child = fork();

	for (unsigned int i = 0; child == 0; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%u", i / 2 % 64);
		if (i % 2 == 0 && i % 6 == 0)
			mkdirat(dir_fd, name, 0700);
		else if (i % 2 == 0)
			close(openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		else if (unlinkat(dir_fd, name, 0) < 0)
			unlinkat(dir_fd, name, AT_REMOVEDIR);
	}
	return child;
}

/* What vanishes while it is measured is no failure. */
static void test_measure(void **state)
{
	struct dir dir = dir_new();
	struct capture_plan plan = { 0 };
	struct capture_size size;
	pid_t child = churn(dir.fd);
	struct err err;

	capture_plan_add(&plan, "/data", dir.path);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(capture_measure(&plan, &size, &err), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (int i = 0; i < 64; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		if (unlinkat(dir.fd, name, 0) < 0)
			unlinkat(dir.fd, name, AT_REMOVEDIR);
	}
	capture_plan_release(&plan);
	dir_free(&dir);
}

/* A manifest that nobody would read back is not written, and there is no image. */
static void test_seal_limit(void **state)
{
	struct dir dir = dir_new();
	struct manifest m = { .name = "one", .capture = "none" };
	struct seal s = { .set_fd = dir.fd, .m = &m };
	char path[4000];
	const struct manifest_open_file f = { .path = path, .size = 1, .mtime_ns = 1 };
	struct err err;

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	for (int i = 0; i < MANIFEST_MAX / 4000 + 1; i++)
		manifest_add_open(&m, &f);
	assert_int_equal(mkdirat(dir.fd, SET_NEW, 0700), 0);
	s.new_fd = openat(dir.fd, SET_NEW, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(s.new_fd >= 0);
	assert_int_equal(seal_image(&s, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_int_equal(faccessat(dir.fd, "one", F_OK, 0), -1);
	fd_close(&s.new_fd);
	assert_int_equal(unlinkat(dir.fd, SET_NEW, AT_REMOVEDIR), 0);
	manifest_release(&m);
	dir_free(&dir);
}

/* What ends a record's key does not end the name of an attribute; tar(1) writes the same. */
static void test_xattr_names(void **state)
{
	cleanup_fd int fd = memfd_create("archive", MFD_CLOEXEC);
	struct pax_entry e = { .type = PAX_FILE, .path = xstrdup("f") }, got = { 0 };
	cleanup_free void *header = NULL;
	uint64_t at = 0;
	struct err err;
	size_t len;

	pax_add_xattr(&e, "user.a=b%c%3D", "x=y", 3);
	header = pax_encode(&e, 0, 0, &len);
	assert_non_null(memmem(header, len, "SCHILY.xattr.user.a%3Db%25c%253D=x=y\n", 37));
	assert_int_equal(pwrite(fd, header, len, 0), (ssize_t)len);
	assert_int_equal(pax_read(fd, &at, len, &got, &err), 1);
	assert_string_equal(got.xattrs[0].name, "user.a=b%c%3D");
	assert_int_equal(got.xattrs[0].len, 3);
	pax_entry_release(&e);
	pax_entry_release(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),     cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_outside),     cmocka_unit_test(test_image),
		cmocka_unit_test(test_explain),     cmocka_unit_test(test_distrust),
		cmocka_unit_test(test_seal_limit),  cmocka_unit_test(test_measure),
		cmocka_unit_test(test_xattr_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
