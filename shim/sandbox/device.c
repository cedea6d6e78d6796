/* SPDX-License-Identifier: Apache-2.0 */
/* Device nodes, the links beside them, and the terminal.
 *
 * Runs as the container's first process, with full privileges, in a root that it distrusts. /dev is opened once, without following a link
 * (CVE-2026-41579: a /dev that is a link puts devices on the host), and everything in it is reached from that descriptor. */
#include "shim/sandbox/device.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/sandbox/mount.h"
#include "shim/sandbox/rootfs.h"

static const struct {
	const char *name;
	unsigned int major, minor;
} default_nodes[] = {
	{ "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 }, { "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};

static const struct {
	const char *name, *target;
} default_links[] = {
	{ "fd", "/proc/self/fd" },       { "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" }, { "ptmx", "pts/ptmx" },
};

static int check_node(int dir_fd, const char *name, mode_t type, dev_t rdev, struct err *err)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "cannot look at device '%s'", name);
	if ((st.st_mode & S_IFMT) != type || (type != S_IFIFO && st.st_rdev != rdev))
		return err_sysno(err, EEXIST, "cannot make device '%s'", name);
	return 0;
}

/* A node that is there already and is the right one counts: roots are used again. */
static int make_node(int dir_fd, const char *name, mode_t type, mode_t mode, dev_t rdev, uid_t uid, gid_t gid,
		     struct err *err)
{
	if (mknodat(dir_fd, name, type | mode, rdev) < 0) {
		if (errno != EEXIST)
			return err_sys(err, "cannot make device '%s'", name);
		return check_node(dir_fd, name, type, rdev, err);
	}
	if ((uid || gid) && fchownat(dir_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "cannot give device '%s' to uid %u", name, uid);
	return 0;
}

/* Nobody makes devices in a user namespace: the host's own is bound over a file. Its owner and mode are the host's. */
static int bind_node(int dir_fd, const char *name, const char *host_path, mode_t type, dev_t rdev, struct err *err)
{
	cleanup_fd int source = open(host_path, O_PATH | O_CLOEXEC), target = -1, tree = -1;
	struct stat st;

	if (source < 0 || fstat(source, &st) < 0)
		return err_sys(err, "none can be made here, and the host's own, '%s', cannot be used", host_path);
	if ((st.st_mode & S_IFMT) != type || st.st_rdev != rdev)
		return err_set(err, ERR_CONFIG, "none can be made here, and the host's own, '%s', is not device %u:%u",
			       host_path, major(rdev), minor(rdev));
	if (mknodat(dir_fd, name, S_IFREG | 0644, 0) < 0 && errno != EEXIST)
		return err_sys(err, "cannot make a file for device '%s'", name);
	target = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0 || fstat(target, &st) < 0)
		return err_sys(err, "cannot open '%s'", name);
	if (!S_ISREG(st.st_mode) && ((st.st_mode & S_IFMT) != type || st.st_rdev != rdev))
		return err_sysno(err, EEXIST, "cannot bind device '%s'", name);
	if (mount_clone(source, "", false, &tree, err) < 0 || mount_attach(tree, target, err) < 0)
		return err_add(err, "cannot bind device '%s'", name);
	return 0;
}

/* Do the config's own rules keep it from being made? The default rules let everybody make nodes, but of cgroup v1 a denial with numbers, where all else is allowed, is not
 * lifted by a rule without. */
static bool rules_deny(const struct oci_resources *r, const struct oci_device *d)
{
	bool all = false, denied = false;

	for (size_t i = 0; i < r->n_devices; i++) {
		const struct oci_device_rule *rule = &r->devices[i];

		if (rule->type == 'a') {
			all = rule->allow;
			denied = false;
		} else if ((rule->type == 'b') == (d->type == 'b') && strchr(rule->access, 'm') &&
			   (rule->major < 0 || rule->major == d->major) &&
			   (rule->minor < 0 || rule->minor == d->minor)) {
			denied = all && !rule->allow;
		}
	}
	return denied;
}

static int make_configured(int root_fd, const struct oci_config *config, const struct oci_device *d, bool bind,
			   struct err *err)
{
	cleanup_free char *dir = xstrdup(d->path);
	char *slash = strrchr(dir, '/');
	const char *name = d->path + (slash - dir) + 1;
	mode_t type = d->type == 'b' ? S_IFBLK : d->type == 'p' ? S_IFIFO : S_IFCHR;
	dev_t rdev = makedev((unsigned int)d->major, (unsigned int)d->minor);
	cleanup_fd int dir_fd = -1;

	*slash = '\0';
	if (rootfs_make(root_fd, dir[0] ? dir : "/", ROOTFS_DIR, &dir_fd, err) < 0)
		return err_add(err, "cannot make device '%s'", d->path);
	if (bind && type != S_IFIFO && bind_node(dir_fd, name, d->path, type, rdev, err) < 0)
		return err_add(err, "cannot make device '%s'", d->path);
	if (bind && type != S_IFIFO)
		return 0;
	if (make_node(dir_fd, name, type, d->mode, rdev, d->uid, d->gid, err) == 0)
		return 0;
	/* We may be in a user namespace ourselves. */
	if (type == S_IFIFO || !err_is_sys(err, EPERM))
		return -1;
	if (bind_node(dir_fd, name, d->path, type, rdev, err) == 0)
		return 0;
	if (rules_deny(&config->resources, d))
		return err_set(err, ERR_CONFIG,
			       "cannot make device '%s': linux.resources.devices denies 'm' of %c %u:%u", d->path,
			       type == S_IFBLK ? 'b' : 'c', major(rdev), minor(rdev));
	return -1;
}

static int make_default(int dev_fd, size_t i, bool bind, struct err *err)
{
	const char *name = default_nodes[i].name;
	dev_t rdev = makedev(default_nodes[i].major, default_nodes[i].minor);
	cleanup_free char *host_path = xasprintf("/dev/%s", name);

	if (!bind && make_node(dev_fd, name, S_IFCHR, 0666, rdev, 0, 0, err) == 0)
		return 0;
	return bind || err_is_sys(err, EPERM) ? bind_node(dev_fd, name, host_path, S_IFCHR, rdev, err) : -1;
}

static int make_link(int dev_fd, const char *name, const char *target, struct err *err)
{
	if (symlinkat(target, dev_fd, name) < 0 && errno != EEXIST)
		return err_sys(err, "cannot make link '/dev/%s'", name);
	return 0;
}

/* A default device that the config describes or mounts itself: it knows better. */
static bool is_configured(const struct oci_config *config, const char *name)
{
	cleanup_free char *path = xasprintf("/dev/%s", name);

	if (device_is_mounted(config, path))
		return true;
	for (size_t i = 0; i < config->n_devices; i++)
		if (!strcmp(config->devices[i].path, path))
			return true;
	return false;
}

/* A manager that lists all of the host's devices lists this one too. The container's is that of its own devpts, as with runc. */
static bool is_host_ptmx(const struct oci_device *d)
{
	return !strcmp(d->path, "/dev/ptmx");
}

static bool dev_is_bound(const struct oci_config *config)
{
	for (size_t i = 0; i < config->n_mounts; i++)
		if (config->mounts[i].bind && !strcmp(config->mounts[i].destination, "/dev"))
			return true;
	return false;
}

bool device_is_mounted(const struct oci_config *config, const char *path)
{
	bool mounted = false;

	for (size_t i = 0; i < config->n_mounts; i++) {
		const char *at = config->mounts[i].destination;
		size_t n = strlen(at);

		if (config->mounts[i].remount)
			continue;
		if (!strcmp(at, path))
			mounted = true;
		else if (!strncmp(path, at, n) && path[n] == '/')
			mounted = false; /* what was mounted before is below that now */
	}
	return mounted;
}

const char *device_default_name(size_t i)
{
	return i < ARRAY_SIZE(default_nodes) ? default_nodes[i].name : NULL;
}

int device_make_all(int root_fd, const struct oci_config *config, bool bind, struct err *err)
{
	cleanup_fd int made = -1, dev_fd = -1;

	if (dev_is_bound(config))
		return 0;
	if (rootfs_open_nolinks(root_fd, "/dev", &dev_fd, err) < 0) {
		if (!err_is_sys(err, ENOENT))
			return -1;
		if (rootfs_make_plain(root_fd, "/dev", ROOTFS_DIR, &made, err) < 0 ||
		    rootfs_open_nolinks(root_fd, "/dev", &dev_fd, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(default_nodes); i++)
		if (!is_configured(config, default_nodes[i].name) && make_default(dev_fd, i, bind, err) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(default_links); i++)
		if (make_link(dev_fd, default_links[i].name, default_links[i].target, err) < 0)
			return -1;
	if (access("/proc/kcore", F_OK) == 0 && make_link(dev_fd, "core", "/proc/kcore", err) < 0)
		return -1;
	for (size_t i = 0; i < config->n_devices; i++)
		if (!is_host_ptmx(&config->devices[i]) && !device_is_mounted(config, config->devices[i].path) &&
		    make_configured(root_fd, config, &config->devices[i], bind, err) < 0)
			return err_add(err, "linux.devices[%zu]", i);
	return 0;
}

/* What is open may have another place in the tree by now, and no /proc leads to it that could be trusted: a container that is joined has made its own. So it is opened by
 * its path, and is looked at both before, since to open another device may have effects, and after. O_NONBLOCK: nobody holds us there with a FIFO. */
static int open_verified(int root_fd, const char *path, int flags, bool (*is_it)(int fd), const char *otherwise,
			 int *ret_fd, struct err *err)
{
	cleanup_fd int found = -1, fd = -1;

	if (rootfs_open(root_fd, path, &found, err) < 0)
		return -1;
	if (!is_it(found))
		return err_set(err, ERR_CONFIG, "'%s' in the rootfs is %s", path, otherwise);
	if (flags & O_PATH) {
		*ret_fd = take_fd(&found);
		return 0;
	}
	if (rootfs_open_flags(root_fd, path, flags | O_NOCTTY | O_NONBLOCK, &fd, err) < 0)
		return -1;
	if (!is_it(fd))
		return err_set(err, ERR_CONFIG, "'%s' in the rootfs is %s", path, otherwise);
	if (fcntl(fd, F_SETFL, 0) < 0)
		return err_sys(err, "cannot use '%s' in the rootfs", path);
	*ret_fd = take_fd(&fd);
	return 0;
}

static bool is_null(int fd)
{
	return rootfs_is_chardev(fd, 1, 3);
}

static bool is_ptmx(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == DEVPTS_SUPER_MAGIC && rootfs_is_chardev(fd, 5, 2);
}

int device_open_null(int root_fd, int flags, int *ret_fd, struct err *err)
{
	return open_verified(root_fd, "/dev/null", flags, is_null, "not the null device", ret_fd, err);
}

static int open_ptmx(int root_fd, int *ret_fd, struct err *err)
{
	if (open_verified(root_fd, "/dev/pts/ptmx", O_RDWR, is_ptmx, "no terminal multiplexer", ret_fd, err) < 0)
		return err_add(err, "a terminal needs a devpts mount at '/dev/pts'");
	return 0;
}

int device_show_console(int root_fd, int terminal, struct err *err)
{
	cleanup_fd int target = -1, tree = -1;

	if (rootfs_make(root_fd, "/dev/console", ROOTFS_FILE, &target, err) < 0 ||
	    mount_clone(terminal, "", false, &tree, err) < 0 || mount_attach(tree, target, err) < 0)
		return err_add(err, "cannot show the terminal as '/dev/console'");
	return 0;
}

int device_make_pty(int root_fd, uid_t uid, uint16_t rows, uint16_t columns, int *ret_master, int *ret_terminal,
		    struct err *err)
{
	cleanup_fd int master = -1, terminal = -1;
	struct winsize size = { .ws_row = rows, .ws_col = columns };
	int unlocked = 0;

	if (open_ptmx(root_fd, &master, err) < 0)
		return -1;
	if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return err_sys(err, "cannot unlock the pty");
	terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0)
		return err_sys(err, "cannot open the terminal of the pty");
	if (fchown(terminal, uid, (gid_t)-1) < 0)
		return err_sys(err, "cannot give the terminal to uid %u", uid);
	if ((rows || columns) && ioctl(master, TIOCSWINSZ, &size) < 0)
		return err_sys(err, "cannot set the size of the terminal");
	*ret_master = take_fd(&master);
	*ret_terminal = take_fd(&terminal);
	return 0;
}
