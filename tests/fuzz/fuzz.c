/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"

void fuzz_broken(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

void fuzz_check_err(const struct err *err)
{
	size_t n = strnlen(err->text, sizeof(err->text));

	FUZZ_CHECK(err->code != 0);
	FUZZ_CHECK(n > 0 && n < sizeof(err->text));
	for (size_t i = 0; i < n; i++)
		FUZZ_CHECK((unsigned char)err->text[i] >= ' ' && err->text[i] != 0x7f);
}

uint8_t fuzz_byte(struct fuzz_input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t len, size_t *ret_len)
{
	const uint8_t *p = in->p;

	if (len > in->left)
		len = in->left;
	in->p += len;
	in->left -= len;
	*ret_len = len;
	return p;
}

char *fuzz_string(struct fuzz_input *in)
{
	size_t n = strnlen((const char *)in->p, in->left);
	char *s = xmalloc(n + 1);

	memcpy(s, in->p, n);
	s[n] = '\0';
	in->p += n;
	in->left -= n;
	fuzz_byte(in);
	return s;
}

static char dir[4096];
static pid_t dir_owner;

/* Two levels are all that is ever made there. */
static void empty(int at, const char *name, int depth)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && unlinkat(dirfd(d), e->d_name, 0) < 0 &&
		    depth < 8) {
			empty(dirfd(d), e->d_name, depth + 1);
			unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
		}
	if (d)
		closedir(d);
}

static void remove_dir(void)
{
	if (getpid() != dir_owner)
		return;
	empty(AT_FDCWD, dir, 0);
	rmdir(dir);
}

const char *fuzz_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (dir_owner)
		return dir;
	snprintf(dir, sizeof(dir), "%s/fuzz.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		FUZZ_CHECK(!"a directory can be made");
	dir_owner = getpid();
	atexit(remove_dir);
	return dir;
}

int fuzz_dir_fd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open(fuzz_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(fd >= 0);
	return fd;
}

void fuzz_write(const char *name, const void *data, size_t len)
{
	int fd = openat(fuzz_dir_fd(), name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct err err;

	FUZZ_CHECK(fd >= 0 && fd_write_all(fd, data, len, &err) == 0);
	close(fd);
}

int fuzz_open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

pid_t fuzz_sleeper(void)
{
	static pid_t pid;
	pid_t parent = getpid();

	if (pid)
		return pid;
	pid = fork();
	FUZZ_CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Whoever waits for our descriptors to be closed need not wait for us. */
	close_range(0, ~0u, 0);
	while (getppid() == parent)
		pause();
	_exit(0);
}

void fuzz_confine(void)
{
	static const int refused[] = {
		SCMP_SYS(fork),       SCMP_SYS(vfork),      SCMP_SYS(clone3), SCMP_SYS(execve),
		SCMP_SYS(execveat),   SCMP_SYS(kill),       SCMP_SYS(tkill),  SCMP_SYS(pidfd_send_signal),
		SCMP_SYS(mount),      SCMP_SYS(umount2),    SCMP_SYS(setns),  SCMP_SYS(unshare),
		SCMP_SYS(move_mount), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(process_vm_writev),
	};
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);

	FUZZ_CHECK(f);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		FUZZ_CHECK(seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), refused[i], 0) == 0);
	/* A thread shares memory and takes no signal's end for its own: that is how the sanitizers look for leaks. */
	FUZZ_CHECK(seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_VM, 0)) == 0);
	FUZZ_CHECK(seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_VFORK, CLONE_VFORK)) == 0);
	FUZZ_CHECK(seccomp_load(f) == 0);
	seccomp_release(f);
}
