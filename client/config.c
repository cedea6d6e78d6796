/* SPDX-License-Identifier: Apache-2.0 */
/* The config.json that `spec` writes and that a quick run starts from. */
#include "client/config.h"

#include <fcntl.h>
#include <string.h>

#include "client/client.h"
#include "common/fd.h"
#include "common/statedir.h"

#define OPTIONS_MAX 7

/* clang-format off */
static const struct {
	const char *destination, *type, *source;
	const char *options[OPTIONS_MAX + 1];
} default_mounts[] = {
	{ "/proc",          "proc",   "proc",   { NULL } },
	{ "/dev",           "tmpfs",  "tmpfs",  { "nosuid", "strictatime", "mode=755", "size=65536k", NULL } },
	{ "/dev/pts",       "devpts", "devpts", { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5", NULL } },
	{ "/dev/shm",       "tmpfs",  "shm",    { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k", NULL } },
	{ "/dev/mqueue",    "mqueue", "mqueue", { "nosuid", "noexec", "nodev", NULL } },
	{ "/sys",           "sysfs",  "sysfs",  { "nosuid", "noexec", "nodev", "ro", NULL } },
	{ "/sys/fs/cgroup", "cgroup", "cgroup", { "nosuid", "noexec", "nodev", "relatime", "ro", NULL } },
};
/* clang-format on */

static const char *const default_args[] = { "sh", NULL };
static const char *const default_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"TERM=xterm",
	NULL,
};
static const char *const default_capabilities[] = { "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE", NULL };
static const char *const capability_sets[] = { "bounding", "effective", "permitted" };
static const char *const default_namespaces[] = { "pid", "network", "ipc", "uts", "mount", "cgroup" };
static const char *const masked_paths[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/sys/firmware",
	"/sys/devices/virtual/powercap",
	NULL,
};
static const char *const readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

static json_object *new_user(void)
{
	json_object *user = json_new_object();

	json_add_int(user, "uid", 0);
	json_add_int(user, "gid", 0);
	return user;
}

static json_object *new_rlimits(void)
{
	json_object *rlimits = json_new_array(), *nofile = json_new_object();

	json_add_string(nofile, "type", "RLIMIT_NOFILE");
	json_add_int(nofile, "hard", 1024);
	json_add_int(nofile, "soft", 1024);
	json_append(rlimits, nofile);
	return rlimits;
}

static json_object *new_process(void)
{
	json_object *process = json_new_object();

	json_add_bool(process, "terminal", true);
	json_add(process, "user", new_user());
	json_add(process, "args", json_new_strings(default_args));
	json_add(process, "env", json_new_strings(default_env));
	json_add_string(process, "cwd", "/");
	json_add(process, "capabilities", json_new_object());
	json_add(process, "rlimits", new_rlimits());
	json_add_bool(process, "noNewPrivileges", true);
	return process;
}

static json_object *new_root(void)
{
	json_object *root = json_new_object();

	json_add_string(root, "path", "rootfs");
	json_add_bool(root, "readonly", true);
	return root;
}

static json_object *new_resources(void)
{
	json_object *resources = json_new_object(), *devices = json_new_array(), *none = json_new_object();

	json_add_bool(none, "allow", false);
	json_add_string(none, "access", "rwm");
	json_append(devices, none);
	json_add(resources, "devices", devices);
	return resources;
}

static json_object *new_linux(void)
{
	json_object *o = json_new_object(), *namespaces = json_new_array();

	for (size_t i = 0; i < ARRAY_SIZE(default_namespaces); i++) {
		json_object *ns = json_new_object();

		json_add_string(ns, "type", default_namespaces[i]);
		json_append(namespaces, ns);
	}
	json_add(o, "resources", new_resources());
	json_add(o, "namespaces", namespaces);
	json_add(o, "maskedPaths", json_new_strings(masked_paths));
	json_add(o, "readonlyPaths", json_new_strings(readonly_paths));
	return o;
}

json_object *config_new(void)
{
	json_object *config = json_new_object();

	json_add_string(config, "ociVersion", CLIENT_OCI_VERSION);
	json_add(config, "process", new_process());
	config_set_capabilities(config, default_capabilities);
	json_add(config, "root", new_root());
	json_add_string(config, "hostname", "thole");
	json_add(config, "mounts", json_new_array());
	for (size_t i = 0; i < ARRAY_SIZE(default_mounts); i++)
		config_add_mount(config, default_mounts[i].destination, default_mounts[i].type,
				 default_mounts[i].source, default_mounts[i].options);
	json_add(config, "linux", new_linux());
	return config;
}

void config_set_capabilities(json_object *config, const char *const *names)
{
	json_object *capabilities = json_get(config, "process.capabilities");

	for (size_t i = 0; i < ARRAY_SIZE(capability_sets); i++)
		json_add(capabilities, capability_sets[i], json_new_strings(names));
}

void config_add_mount(json_object *config, const char *destination, const char *type, const char *source,
		      const char *const *options)
{
	json_object *mount = json_new_object();

	json_add_string(mount, "destination", destination);
	json_add_string(mount, "type", type);
	json_add_string(mount, "source", source);
	if (options[0])
		json_add(mount, "options", json_new_strings(options));
	json_append(json_get(config, "mounts"), mount);
}

static int write_new(int dir_fd, const char *text, struct err *err)
{
	cleanup_fd int fd = openat(dir_fd, STATEDIR_CONFIG, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0 && errno == EEXIST)
		return err_set(err, ERR_EXISTS, "config.json exists already: it is not overwritten");
	if (fd < 0)
		return err_sys(err, "cannot create 'config.json'");
	if (fd_write_all(fd, text, strlen(text), err) == 0)
		return 0;
	unlinkat(dir_fd, STATEDIR_CONFIG, 0);
	return err_add(err, "'config.json'");
}

int config_write(json_object *config, int dir_fd, bool exclusive, struct err *err)
{
	cleanup_free char *text = xasprintf("%s\n", json_text(config));

	if (exclusive)
		return write_new(dir_fd, text, err);
	return fd_replace_file_at(dir_fd, STATEDIR_CONFIG, text, strlen(text), 0600, err);
}
