/* SPDX-License-Identifier: Apache-2.0 */
/* deny ENOSYS|EPERM CALL[,CALL...] PROGRAM ARG...: executes the program below a seccomp filter that refuses these system calls, as an old profile of a container manager's does
 * whose list they are not on. Prints "NAME: unknown" for a call that it does not know. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/live/probes/probe.h"

#define MAX_CALLS 32

static const struct {
	const char *name;
	int number;
} calls[] = {
	{ "openat2", SYS_openat2 },
	{ "pivot_root", SYS_pivot_root },
	{ "clone3", SYS_clone3 },
	{ "mount_setattr", SYS_mount_setattr },
	{ "open_tree", SYS_open_tree },
	{ "move_mount", SYS_move_mount },
	{ "fsopen", SYS_fsopen },
	{ "fsconfig", SYS_fsconfig },
	{ "fsmount", SYS_fsmount },
	{ "pidfd_open", SYS_pidfd_open },
	{ "pidfd_send_signal", SYS_pidfd_send_signal },
	{ "pidfd_getfd", SYS_pidfd_getfd },
	{ "close_range", SYS_close_range },
	{ "faccessat2", SYS_faccessat2 },
	{ "statx", SYS_statx },
	{ "execveat", SYS_execveat },
	{ "memfd_create", SYS_memfd_create },
	{ "copy_file_range", SYS_copy_file_range },
	{ "epoll_pwait2", SYS_epoll_pwait2 },
	{ "renameat2", SYS_renameat2 },
};

static int number_of(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(name, calls[i].name))
			return calls[i].number;
	printf("%s: unknown\n", name);
	exit(PROBE_FAILED);
}

int main(int argc, char **argv)
{
	struct sock_filter f[2 + MAX_CALLS + 2] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							     offsetof(struct seccomp_data, nr)) };
	unsigned char n = 0;
	int number[MAX_CALLS], at = 1, error;

	if (argc < 4)
		return PROBE_FAILED;
	error = !strcmp(argv[1], "EPERM") ? EPERM : ENOSYS;
	for (char *w = strtok(argv[2], ","); w && n < MAX_CALLS; w = strtok(NULL, ","))
		number[n++] = number_of(w);
	for (unsigned char i = 0; i < n; i++)
		f[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)number[i], n - i, 0);
	f[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	f[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error);
	/* As root without no_new_privs, which the container would have from us. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &(struct sock_fprog) { .len = (unsigned short)at, .filter = f },
		  0, 0) < 0) {
		perror("seccomp");
		return PROBE_FAILED;
	}
	execvp(argv[3], argv + 3);
	perror(argv[3]);
	return 127;
}
