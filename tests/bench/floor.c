/* SPDX-License-Identifier: Apache-2.0 */
/* The least that a launch can cost here: what thole's default config asks the kernel for, and nothing else. No config, state, checks, streams or monitor.
 *
 * floor ROOTFS NAME PROGRAM [ARG...]: a group NAME in every hierarchy, the namespaces, the mounts, devices and masks of `thole spec`, PROGRAM, its end, the groups
 * removed. Exits as it did. For the benchmarks, as root; on failure what was made stays. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <mntent.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUPS_MAX 16

/* One hierarchy: its mount, our group in it, and what joins it. */
static struct group {
	char type[16], options[256], name[64], *dir;
	int join_fd;
} groups[GROUPS_MAX];
static size_t n_groups;
static int v2_fd = -1;

static const char *const controllers[] = { "cpu",  "cpuacct", "cpuset",   "memory",  "devices",    "freezer", "blkio",
					   "pids", "net_cls", "net_prio", "hugetlb", "perf_event", "rdma",    "misc" };

/* ---- groups ------------------------------------------------------------------------------------ */

static void write_to(const char *dir, const char *file, const char *text)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(125, "write %s", path);
	close(fd);
}

/* cpuset takes no task before it has these. */
static void copy_from_parent(const struct group *g, const char *file)
{
	char path[512], text[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/../%s", g->dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (n = read(fd, text, sizeof(text) - 1)) < 0)
		err(125, "read %s", path);
	text[n] = '\0';
	close(fd);
	write_to(g->dir, file, text);
}

/* Where we are ourselves, in v1's memory: groups cannot be made at its root everywhere. "" for the others. */
static void own_memory_group(char *ret, size_t size)
{
	char line[512];
	FILE *f = fopen("/proc/self/cgroup", "re");

	ret[0] = '\0';
	while (f && fgets(line, sizeof(line), f)) {
		char *path = strstr(line, ":memory:");

		if (!path)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(ret, size, "%s", strcmp(path + 8, "/") ? path + 8 : "");
	}
	if (f)
		fclose(f);
}

/* "rw,relatime,memory" -> "memory", "rw,name=systemd" -> "none,name=systemd". */
static void mount_options(const struct mntent *m, char *ret, size_t size)
{
	ret[0] = '\0';
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++)
		if (hasmntopt(m, controllers[i])) {
			strncat(ret, ret[0] ? "," : "", size - strlen(ret) - 1);
			strncat(ret, controllers[i], size - strlen(ret) - 1);
		}
	if (!ret[0] && hasmntopt(m, "name"))
		snprintf(ret, size, "none,name=%.*s", (int)strcspn(hasmntopt(m, "name") + 5, ","),
			 hasmntopt(m, "name") + 5);
}

static void make_group(const struct mntent *m, const char *name, const char *memory_group)
{
	struct group *g = &groups[n_groups++];
	char path[512];

	snprintf(g->type, sizeof(g->type), "%s", m->mnt_type);
	mount_options(m, g->options, sizeof(g->options));
	snprintf(g->name, sizeof(g->name), "%s", strrchr(m->mnt_dir, '/') + 1);
	if (asprintf(&g->dir, "%s%s/%s", m->mnt_dir, hasmntopt(m, "memory") ? memory_group : "", name) < 0 ||
	    mkdir(g->dir, 0755) < 0)
		err(125, "mkdir %s", g->dir);
	if (!strcmp(g->type, "cgroup2")) {
		v2_fd = g->join_fd = open(g->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return;
	}
	if (strstr(g->options, "cpuset")) {
		copy_from_parent(g, "cpuset.cpus");
		copy_from_parent(g, "cpuset.mems");
	}
	if (strstr(g->options, "devices")) {
		static const char *const allowed[] = { "c *:* m",   "b *:* m",   "c 1:3 rwm",  "c 1:5 rwm",
						       "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm",  "c 5:0 rwm",
						       "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm" };

		write_to(g->dir, "devices.deny", "a");
		for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
			write_to(g->dir, "devices.allow", allowed[i]);
	}
	snprintf(path, sizeof(path), "%s/tasks", g->dir);
	g->join_fd = open(path, O_WRONLY | O_CLOEXEC);
	if (g->join_fd < 0)
		err(125, "open %s", path);
}

static void make_groups(const char *name)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	char memory_group[256];
	struct mntent *m;

	own_memory_group(memory_group, sizeof(memory_group));
	while (f && (m = getmntent(f)))
		if ((!strcmp(m->mnt_type, "cgroup") || !strcmp(m->mnt_type, "cgroup2")) && n_groups < GROUPS_MAX)
			make_group(m, name, memory_group);
	if (f)
		endmntent(f);
}

static void remove_groups(void)
{
	for (size_t i = 0; i < n_groups; i++)
		while (rmdir(groups[i].dir) < 0 && errno == EBUSY)
			sched_yield(); /* v1 lets a task go a moment after it was reaped */
}

/* ---- inside ------------------------------------------------------------------------------------ */

static void mount_at(const char *source, const char *root, const char *where, const char *type, unsigned long flags,
		     const char *data)
{
	char path[512];

	snprintf(path, sizeof(path), "%s%s", root, where);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		err(125, "mkdir %s", path);
	if (mount(source, path, type, flags, data) < 0)
		err(125, "mount %s at %s", type, path);
}

static void mount_groups(const char *root)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	char where[512];

	mount_at("tmpfs", root, "/sys/fs/cgroup", "tmpfs", flags, "mode=755");
	for (size_t i = 0; i < n_groups; i++) {
		snprintf(where, sizeof(where), "/sys/fs/cgroup/%s", groups[i].name);
		mount_at("cgroup", root, where, groups[i].type, flags, groups[i].options);
	}
}

static void mount_all(const char *root)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 || mount(root, root, NULL, MS_BIND | MS_REC, NULL) < 0)
		err(125, "bind %s", root);
	mount_at("proc", root, "/proc", "proc", 0, NULL);
	mount_at("tmpfs", root, "/dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
	mount_at("devpts", root, "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		 "newinstance,ptmxmode=0666,mode=0620,gid=5");
	mount_at("shm", root, "/dev/shm", "tmpfs", flags, "mode=1777,size=65536k");
	mount_at("mqueue", root, "/dev/mqueue", "mqueue", flags, NULL);
	mount_at("sysfs", root, "/sys", "sysfs", flags | MS_RDONLY, NULL);
	mount_groups(root);
}

static void make_devices(const char *root)
{
	static const struct {
		const char *path;
		int major, minor;
	} nodes[] = { { "dev/null", 1, 3 },   { "dev/zero", 1, 5 },    { "dev/full", 1, 7 },
		      { "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 } };
	static const char *const links[][2] = { { "/proc/self/fd", "dev/fd" },
						{ "/proc/self/fd/0", "dev/stdin" },
						{ "/proc/self/fd/1", "dev/stdout" },
						{ "/proc/self/fd/2", "dev/stderr" },
						{ "pts/ptmx", "dev/ptmx" } };

	if (chdir(root) < 0)
		err(125, "chdir %s", root);
	umask(0);
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		if (mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) < 0)
			err(125, "mknod %s", nodes[i].path);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i][0], links[i][1]) < 0)
			err(125, "symlink %s", links[i][1]);
}

/* What is not there is not masked. */
static void mask_paths(void)
{
	static const char *const masked[] = { "/proc/acpi",
					      "/proc/asound",
					      "/proc/kcore",
					      "/proc/keys",
					      "/proc/latency_stats",
					      "/proc/timer_list",
					      "/proc/timer_stats",
					      "/proc/sched_debug",
					      "/proc/scsi",
					      "/sys/firmware",
					      "/sys/devices/virtual/powercap" };
	static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
						"/proc/sysrq-trigger" };
	struct stat st;

	for (size_t i = 0; i < sizeof(readonly) / sizeof(readonly[0]); i++)
		if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) == 0)
			mount(NULL, readonly[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
	for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++) {
		if (stat(masked[i], &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, "size=0,nr_inodes=1");
		else
			mount("/dev/null", masked[i], NULL, MS_BIND, NULL);
	}
}

static void set_up_loopback(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0 || ioctl(sock, SIOCSIFFLAGS, &r) < 0 || close(sock) < 0)
		err(125, "lo");
}

static void inside(const char *root, char **argv)
{
	for (size_t i = 0; i < n_groups; i++)
		if (groups[i].join_fd != v2_fd && write(groups[i].join_fd, "0", 1) < 0)
			err(125, "join %s", groups[i].dir);
	if (setsid() < 0 || unshare(CLONE_NEWCGROUP) < 0 || sethostname("floor", 5) < 0)
		err(125, "unshare");
	set_up_loopback();
	mount_all(root);
	make_devices(root);
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		err(125, "pivot_root");
	mask_paths();
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	execv(argv[0], argv);
	err(127, "exec %s", argv[0]);
}

int main(int argc, char **argv)
{
	struct clone_args args = { .flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET,
				   .exit_signal = SIGCHLD };
	int status;
	pid_t pid;

	if (argc < 4)
		errx(125, "floor ROOTFS NAME PROGRAM [ARG...]");
	make_groups(argv[2]);
	if (v2_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)v2_fd;
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		err(125, "clone3");
	if (pid == 0)
		inside(argv[1], argv + 3);
	if (waitpid(pid, &status, 0) < 0)
		err(125, "waitpid");
	remove_groups();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
