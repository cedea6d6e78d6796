/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what a process was given by whoever started it, one key=value a line. It changes nothing before it has looked. */
#include <dirent.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/live/probes/probe.h"

static void print_signals(void)
{
	sigset_t mask;

	printf("ignored=");
	for (int sig = 1; sig < NSIG; sig++) {
		struct sigaction sa;

		if (sigaction(sig, NULL, &sa) == 0 && sa.sa_handler != SIG_DFL)
			printf("%d,", sig);
	}
	printf("\nblocked=");
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&mask, sig) == 1)
			printf("%d,", sig);
	printf("\n");
}

static void print_rlimits(void)
{
	static const struct {
		const char *name;
		int resource;
	} rows[] = {
		{ "as", RLIMIT_AS },         { "core", RLIMIT_CORE },   { "cpu", RLIMIT_CPU },
		{ "data", RLIMIT_DATA },     { "fsize", RLIMIT_FSIZE }, { "memlock", RLIMIT_MEMLOCK },
		{ "nofile", RLIMIT_NOFILE }, { "nproc", RLIMIT_NPROC }, { "stack", RLIMIT_STACK },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rlimit rl;

		if (getrlimit(rows[i].resource, &rl) < 0)
			probe_die("getrlimit %s", rows[i].name);
		printf("rlimit_%s=%lld:%lld\n", rows[i].name, (long long)rl.rlim_cur, (long long)rl.rlim_max);
	}
}

/* NUMBER=TARGET of every open descriptor but the one that reads the directory. */
static void print_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	char list[4096] = "";
	size_t len = 0;

	if (!dir) {
		printf("fds=?\n");
		return;
	}
	for (struct dirent *e; (e = readdir(dir));) {
		int fd = atoi(e->d_name);
		char target[1024];
		ssize_t n;

		if (e->d_name[0] == '.' || fd == dirfd(dir))
			continue;
		n = readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		printf("fd_%d=%s\n", fd, target);
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%d,", fd);
	}
	closedir(dir);
	printf("fds=%s\n", list);
}

static void print_status_lines(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[512];

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		char name[32], value[256];

		if (sscanf(line, "%31[A-Za-z_]: %255[^\n]", name, value) == 2 &&
		    (!strncmp(name, "Cap", 3) || !strcmp(name, "NoNewPrivs") || !strcmp(name, "Seccomp") ||
		     !strcmp(name, "Cpus_allowed_list")))
			printf("%s=%s\n", name, value);
	}
	fclose(f);
}

static void print_ids(void)
{
	uid_t r, e, s;
	gid_t rg, eg, sg, groups[64];
	int n = getgroups(64, groups);

	getresuid(&r, &e, &s);
	getresgid(&rg, &eg, &sg);
	printf("uid=%u,%u,%u\ngid=%u,%u,%u\ngroups=", r, e, s, rg, eg, sg);
	for (int i = 0; i < n; i++)
		printf("%u,", groups[i]);
	printf("\n");
}

static void print_session(void)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	printf("pid=%d\nppid=%d\nsession_leader=%d\ngroup_leader=%d\ncontrolling_tty=%d\n", getpid(), getppid(),
	       getsid(0) == getpid(), getpgrp() == getpid(), tty >= 0);
	if (tty >= 0)
		close(tty);
}

static void print_number(const char *name)
{
	char path[64];
	FILE *f;
	long v;

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	f = fopen(path, "re");
	if (f && fscanf(f, "%ld", &v) == 1)
		printf("%s=%ld\n", name, v);
	if (f)
		fclose(f);
}

/* Its description: type;uid;gid;permissions;name. */
static void print_keyring(void)
{
	char text[512] = "";

	syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, text, sizeof(text), 0);
	printf("keyring=%s\nkeyring_serial=%ld\n", text,
	       syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0));
}

static void print_terminal(void)
{
	struct winsize ws;

	for (int fd = 0; fd < 3; fd++)
		printf("tty_%d=%d\n", fd, isatty(fd));
	if (ioctl(0, TIOCGWINSZ, &ws) == 0)
		printf("size=%dx%d\n", ws.ws_row, ws.ws_col);
}

int main(int argc, char **argv, char **envp)
{
	char cwd[4096];
	mode_t mask = umask(0);
	int death_signal = -1;

	print_signals();
	print_descriptors();
	print_rlimits();
	printf("umask=%04o\n", mask);
	print_ids();
	print_session();
	print_status_lines();
	print_number("oom_score_adj");
	print_number("timerslack_ns");
	print_keyring();
	print_terminal();
	printf("nice=%d\nscheduler=%d\n", getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
	prctl(PR_GET_PDEATHSIG, &death_signal);
	printf("death_signal=%d\ndumpable=%d\n", death_signal, prctl(PR_GET_DUMPABLE));
	printf("cwd=%s\nargc=%d\nargv0=%s\n", getcwd(cwd, sizeof(cwd)) ? cwd : "?", argc, argv[0]);
	for (char **e = envp; *e; e++)
		printf("env_%s\n", *e);
	fflush(stdout);
	return 0;
}
