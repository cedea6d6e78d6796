/* SPDX-License-Identifier: Apache-2.0 */
/* Reading config.json: what is read, what is refused and with which words, and that no text breaks it. Run from the top of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <json-c/json.h>

#include "common/fd.h"
#include "shim/oci/config.h"
#include "shim/oci/field.h"
#include "shim/oci/names.h"

#define FIXTURES "tests/fixtures/oci/"
#define CAP_BIT(c) (1ull << (c))

static char *fixture(const char *name)
{
	char path[256];
	struct err err;
	char *text;

	snprintf(path, sizeof(path), FIXTURES "%s", name);
	if (fd_read_file_at(AT_FDCWD, path, OCI_CONFIG_MAX, &text, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

/* A config with `members` beside what every config needs. */
static char *with(const char *members)
{
	return xasprintf("{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\"}%s%s}", members[0] ? "," : "",
			 members);
}

static struct oci_config *accept(const char *text)
{
	struct oci_config *c = NULL;
	struct err err = { 0 };

	if (oci_config_parse(text, strlen(text), &c, &err) < 0)
		fail_msg("refused: %s\n%s", err.text, text);
	assert_non_null(c);
	assert_int_equal(err.code, ERR_NONE);
	return c;
}

static struct oci_config *accept_with(const char *members)
{
	char *text = with(members);
	struct oci_config *c = accept(text);

	free(text);
	return c;
}

static void refuse_len(const char *text, size_t len, ErrCode code, const char *expected)
{
	struct oci_config *c = (void *)1;
	struct err err = { 0 };

	if (oci_config_parse(text, len, &c, &err) == 0)
		fail_msg("accepted, instead of '%s': %.2000s", expected, text);
	assert_ptr_equal(c, (void *)1);
	assert_string_equal(err.text, expected);
	assert_int_equal(err.code, code);
}

static void refuse_text(const char *text, ErrCode code, const char *expected)
{
	refuse_len(text, strlen(text), code, expected);
}

static void refuse_with(const char *members, ErrCode code, const char *expected)
{
	char *text = with(members);

	refuse_text(text, code, expected);
	free(text);
}

/* ---- what is read ---- */

static void default_spec_is_read_whole(void **state)
{
	char *text = fixture("default-spec.json");
	struct oci_config *c = accept(text);
	const struct oci_process *p = &c->process;
	uint64_t caps = CAP_BIT(CAP_AUDIT_WRITE) | CAP_BIT(CAP_KILL) | CAP_BIT(CAP_NET_BIND_SERVICE);

	assert_string_equal(c->version, "1.2.1");
	assert_true(c->has_process);
	assert_true(p->terminal);
	assert_false(p->has_console_size);
	assert_int_equal(p->uid, 0);
	assert_int_equal(p->gid, 0);
	assert_false(p->has_umask);
	assert_int_equal(p->args.n, 1);
	assert_string_equal(p->args.v[0], "sh");
	assert_null(p->args.v[1]);
	assert_int_equal(p->env.n, 2);
	assert_string_equal(p->env.v[1], "TERM=xterm");
	assert_string_equal(p->cwd, "/");
	assert_true(p->caps.set);
	assert_int_equal(p->caps.bounding, caps);
	assert_int_equal(p->caps.effective, caps);
	assert_int_equal(p->caps.permitted, caps);
	assert_int_equal(p->caps.ambient, caps);
	assert_int_equal(p->caps.inheritable, 0);
	assert_int_equal(p->n_rlimits, 1);
	assert_int_equal(p->rlimits[0].resource, RLIMIT_NOFILE);
	assert_int_equal(p->rlimits[0].limit.rlim_cur, 1024);
	assert_int_equal(p->rlimits[0].limit.rlim_max, 1024);
	assert_true(p->no_new_privileges);
	assert_false(p->oom_score_adj.set);
	assert_string_equal(c->root_path, "rootfs");
	assert_true(c->root_readonly);
	assert_string_equal(c->hostname, "runc");
	assert_null(c->domainname);
	assert_int_equal(c->n_mounts, 7);
	assert_string_equal(c->mounts[1].destination, "/dev");
	assert_string_equal(c->mounts[1].type, "tmpfs");
	assert_string_equal(c->mounts[1].source, "tmpfs");
	assert_string_equal(c->mounts[1].data, "mode=755,size=65536k");
	assert_int_equal(c->mounts[1].flags_set, MS_NOSUID | MS_STRICTATIME);
	assert_string_equal(c->mounts[2].data, "newinstance,ptmxmode=0666,mode=0620,gid=5");
	assert_null(c->mounts[4].data);
	assert_int_equal(c->mounts[6].flags_set, MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RELATIME | MS_RDONLY);
	assert_int_equal(c->resources.n_devices, 1);
	assert_false(c->resources.devices[0].allow);
	assert_int_equal(c->resources.devices[0].type, 'a');
	assert_int_equal(c->resources.devices[0].major, -1);
	assert_int_equal(c->resources.devices[0].minor, -1);
	assert_string_equal(c->resources.devices[0].access, "rwm");
	for (enum oci_ns ns = 0; ns < OCI_NS_COUNT; ns++) {
		assert_int_equal(c->ns[ns].wanted, ns != OCI_NS_USER && ns != OCI_NS_TIME);
		assert_null(c->ns[ns].path);
	}
	assert_int_equal(c->masked_paths.n, 10);
	assert_string_equal(c->masked_paths.v[9], "/proc/scsi");
	assert_int_equal(c->readonly_paths.n, 5);
	assert_false(c->seccomp.set);
	assert_null(c->cgroups_path);
	oci_config_free(c);
	free(text);
}

static void least_config_has_nothing_set(void **state)
{
	struct oci_config *c = accept_with("");

	assert_false(c->has_process);
	assert_int_equal(c->n_mounts + c->hooks[OCI_HOOK_POSTSTART].n + c->hooks[OCI_HOOK_POSTSTOP].n +
				 c->annotation_keys.n + c->n_devices,
			 0);
	assert_false(c->resources.memory.limit.set || c->resources.pids_limit.set || c->resources.cpu.shares.set);
	for (enum oci_ns ns = 0; ns < OCI_NS_COUNT; ns++)
		assert_false(c->ns[ns].wanted);
	oci_config_free(c);
}

static void process_fields(void **state)
{
	struct oci_config *c = accept_with(
		"\"process\":{\"cwd\":\"/a//b/../c/"
		"\",\"user\":{\"uid\":4294967294,\"gid\":7,\"umask\":18,\"additionalGids\":[5,6,4294967294]},"
		"\"consoleSize\":{\"height\":24,\"width\":65535},\"oomScoreAdj\":-500,\"capabilities\":{"
		"\"inheritable\":[\"CAP_CHECKPOINT_RESTORE\"],"
		"\"bounding\":[\"CAP_CHECKPOINT_RESTORE\",\"CAP_CHOWN\",\"CAP_CHOWN\"]},"
		"\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":0,\"hard\":18446744073709551615},"
		"{\"type\":\"RLIMIT_RTTIME\",\"soft\":18446744073709551615,\"hard\":18446744073709551615}]}");
	const struct oci_process *p = &c->process;

	assert_string_equal(p->cwd, "/a/c");
	assert_int_equal(p->uid, 4294967294u);
	assert_int_equal(p->gid, 7);
	assert_true(p->has_umask);
	assert_int_equal(p->umask, 022);
	assert_int_equal(p->n_additional_gids, 3);
	assert_int_equal(p->additional_gids[2], 4294967294u);
	assert_true(p->has_console_size);
	assert_int_equal(p->console_rows, 24);
	assert_int_equal(p->console_columns, 65535);
	assert_true(p->oom_score_adj.set);
	assert_int_equal(p->oom_score_adj.v, -500);
	assert_int_equal(p->caps.inheritable, CAP_BIT(CAP_CHECKPOINT_RESTORE));
	assert_int_equal(p->caps.bounding, CAP_BIT(CAP_CHECKPOINT_RESTORE) | CAP_BIT(CAP_CHOWN));
	assert_int_equal(p->n_rlimits, 2);
	assert_int_equal(p->rlimits[0].resource, RLIMIT_CORE);
	assert_int_equal(p->rlimits[0].limit.rlim_cur, 0);
	assert_true(p->rlimits[0].limit.rlim_max == RLIM_INFINITY);
	assert_true(p->rlimits[1].limit.rlim_cur == RLIM_INFINITY);
	assert_int_equal(p->args.n, 0);
	oci_config_free(c);
}

static void linux_fields(void **state)
{
	struct oci_config *c = accept_with(
		"\"domainname\":\"dom\",\"annotations\":{\"org.example/a b\":\"1\",\"z\":\"\"},"
		"\"hooks\":{\"poststart\":[{\"path\":\"/bin/"
		"a\",\"args\":[\"a\",\"-x\"],\"env\":[\"K=V\"],\"timeout\":5},{\"path\":\"/bin/b\"}],"
		"\"poststop\":[{\"path\":\"/bin/c\"}],\"prestart\":[]},"
		"\"linux\":{\"namespaces\":[{\"type\":\"network\",\"path\":\"/run/netns/"
		"x\"},{\"type\":\"ipc\",\"path\":\"/proc/1/ns/ipc\"},"
		"{\"type\":\"uts\",\"path\":\"/proc/1/ns/uts\"},{\"type\":\"mount\",\"path\":\"\"}],"
		"\"devices\":[{\"path\":\"/dev//"
		"fuse\",\"type\":\"c\",\"major\":10,\"minor\":229,\"fileMode\":438,\"uid\":1,\"gid\":2},"
		"{\"path\":\"/dev/p\",\"type\":\"p\"},{\"path\":\"/dev/"
		"u\",\"type\":\"u\",\"major\":4095,\"minor\":1048575,\"fileMode\":8630}],"
		"\"cgroupsPath\":\"/a/b\",\"rootfsPropagation\":\"rslave\","
		"\"resources\":{\"memory\":{\"limit\":536870912,\"reservation\":-1,\"swap\":-1,\"swappiness\":100,"
		"\"disableOOMKiller\":true,"
		"\"kernel\":5,\"kernelTCP\":6,\"checkBeforeUpdate\":true,\"useHierarchy\":false},"
		"\"cpu\":{\"shares\":18446744073709551615,\"quota\":-1,\"period\":100000,\"burst\":7,"
		"\"realtimeRuntime\":8,\"realtimePeriod\":9,"
		"\"idle\":1,\"cpus\":\"0-1\",\"mems\":\"0\"},\"pids\":{\"limit\":0},"
		"\"devices\":[{\"allow\":true,\"type\":\"c\",\"major\":1,\"access\":\"mr\"},{\"allow\":false}]}}");
	const struct oci_resources *r = &c->resources;

	assert_string_equal(c->domainname, "dom");
	assert_int_equal(c->annotation_keys.n, 2);
	assert_string_equal(c->annotation_keys.v[0], "org.example/a b");
	assert_string_equal(c->annotation_values.v[0], "1");
	assert_string_equal(c->annotation_values.v[1], "");
	assert_int_equal(c->hooks[OCI_HOOK_POSTSTART].n, 2);
	assert_string_equal(c->hooks[OCI_HOOK_POSTSTART].v[0].args.v[1], "-x");
	assert_string_equal(c->hooks[OCI_HOOK_POSTSTART].v[0].env.v[0], "K=V");
	assert_int_equal(c->hooks[OCI_HOOK_POSTSTART].v[0].timeout_s, 5);
	assert_int_equal(c->hooks[OCI_HOOK_POSTSTART].v[1].args.n, 0);
	assert_int_equal(c->hooks[OCI_HOOK_POSTSTART].v[1].timeout_s, 0);
	assert_string_equal(c->hooks[OCI_HOOK_POSTSTOP].v[0].path, "/bin/c");
	assert_string_equal(c->ns[OCI_NS_NETWORK].path, "/run/netns/x");
	assert_string_equal(c->ns[OCI_NS_IPC].path, "/proc/1/ns/ipc");
	assert_string_equal(c->ns[OCI_NS_UTS].path, "/proc/1/ns/uts");
	assert_true(c->ns[OCI_NS_MOUNT].wanted);
	assert_null(c->ns[OCI_NS_MOUNT].path);
	assert_int_equal(c->n_devices, 3);
	assert_string_equal(c->devices[0].path, "/dev/fuse");
	assert_int_equal(c->devices[0].type, 'c');
	assert_int_equal(c->devices[0].mode, 0666);
	assert_int_equal(c->devices[0].uid, 1);
	assert_int_equal(c->devices[0].gid, 2);
	assert_int_equal(c->devices[1].type, 'p');
	assert_int_equal(c->devices[1].mode, 0666);
	assert_int_equal(c->devices[2].type, 'c');
	assert_int_equal(c->devices[2].mode, 0666);
	assert_int_equal(c->devices[2].minor, 1048575);
	assert_string_equal(c->cgroups_path, "/a/b");
	assert_int_equal(c->rootfs_propagation, MS_SLAVE | MS_REC);
	assert_int_equal(r->memory.limit.v, 536870912);
	assert_int_equal(r->memory.reservation.v, -1);
	assert_int_equal(r->memory.swap.v, -1);
	assert_int_equal(r->memory.swappiness.v, 100);
	assert_true(r->memory.disable_oom_killer && r->memory.disable_oom_killer_set && r->memory.check_before_update);
	assert_true(r->memory.use_hierarchy_set && !r->memory.use_hierarchy);
	assert_true(r->cpu.shares.v == UINT64_MAX);
	assert_int_equal(r->cpu.quota.v, -1);
	assert_int_equal(r->cpu.burst.v, 7);
	assert_int_equal(r->cpu.realtime_runtime.v, 8);
	assert_int_equal(r->cpu.realtime_period.v, 9);
	assert_int_equal(r->cpu.idle.v, 1);
	assert_string_equal(r->cpu.cpus, "0-1");
	assert_string_equal(r->cpu.mems, "0");
	assert_true(r->pids_limit.set);
	assert_int_equal(r->pids_limit.v, 0);
	assert_int_equal(r->devices[0].minor, -1);
	assert_string_equal(r->devices[0].access, "rm");
	assert_string_equal(r->devices[1].access, "rwm");
	oci_config_free(c);
}

static void seccomp_fields(void **state)
{
	struct oci_config *c = accept_with(
		"\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":1,\"architectures\":["
		"\"SCMP_ARCH_X86\"],"
		"\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],\"listenerPath\":\"\",\"syscalls\":[{\"names\":[\"a\",\"b\"],"
		"\"action\":\"SCMP_ACT_ALLOW\","
		"\"args\":[{\"index\":5,\"value\":18446744073709551615,\"valueTwo\":2,\"op\":\"SCMP_CMP_MASKED_EQ\"}]},"
		"{\"names\":[\"c\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}]}}");
	const struct oci_seccomp *s = &c->seccomp;

	assert_true(s->set);
	assert_string_equal(s->default_action, "SCMP_ACT_ERRNO");
	assert_int_equal(s->default_errno_ret.v, 1);
	assert_string_equal(s->architectures.v[0], "SCMP_ARCH_X86");
	assert_string_equal(s->flags.v[0], "SECCOMP_FILTER_FLAG_LOG");
	assert_int_equal(s->n_rules, 2);
	assert_int_equal(s->rules[0].names.n, 2);
	assert_int_equal(s->rules[0].args[0].index, 5);
	assert_true(s->rules[0].args[0].value == UINT64_MAX);
	assert_int_equal(s->rules[0].args[0].value_two, 2);
	assert_string_equal(s->rules[0].args[0].op, "SCMP_CMP_MASKED_EQ");
	assert_false(s->rules[0].errno_ret.set);
	assert_int_equal(s->rules[1].errno_ret.v, 38);
	oci_config_free(c);
	c = accept_with("\"linux\":{\"seccomp\":{\"defaultAction\":\"\",\"syscalls\":[]}}");
	assert_false(c->seccomp.set);
	oci_config_free(c);
}

/* The whole table of the specification, each alone. */
static void mount_options(void **state)
{
	static const struct {
		const char *option;
		unsigned long set, clear;
		uint64_t tree_set, tree_clear;
	} rows[] = {
		{ "async", 0, MS_SYNCHRONOUS, 0, 0 },
		{ "sync", MS_SYNCHRONOUS, 0, 0, 0 },
		{ "atime", 0, MS_NOATIME, 0, 0 },
		{ "noatime", MS_NOATIME, 0, 0, 0 },
		{ "defaults", 0, 0, 0, 0 },
		{ "dev", 0, MS_NODEV, 0, 0 },
		{ "nodev", MS_NODEV, 0, 0, 0 },
		{ "diratime", 0, MS_NODIRATIME, 0, 0 },
		{ "nodiratime", MS_NODIRATIME, 0, 0, 0 },
		{ "dirsync", MS_DIRSYNC, 0, 0, 0 },
		{ "exec", 0, MS_NOEXEC, 0, 0 },
		{ "noexec", MS_NOEXEC, 0, 0, 0 },
		{ "iversion", MS_I_VERSION, 0, 0, 0 },
		{ "noiversion", 0, MS_I_VERSION, 0, 0 },
		{ "lazytime", MS_LAZYTIME, 0, 0, 0 },
		{ "nolazytime", 0, MS_LAZYTIME, 0, 0 },
		{ "loud", 0, MS_SILENT, 0, 0 },
		{ "silent", MS_SILENT, 0, 0, 0 },
		{ "mand", MS_MANDLOCK, 0, 0, 0 },
		{ "nomand", 0, MS_MANDLOCK, 0, 0 },
		{ "relatime", MS_RELATIME, 0, 0, 0 },
		{ "norelatime", 0, MS_RELATIME, 0, 0 },
		{ "strictatime", MS_STRICTATIME, 0, 0, 0 },
		{ "nostrictatime", 0, MS_STRICTATIME, 0, 0 },
		{ "suid", 0, MS_NOSUID, 0, 0 },
		{ "nosuid", MS_NOSUID, 0, 0, 0 },
		{ "symfollow", 0, 256, 0, 0 },
		{ "nosymfollow", 256, 0, 0, 0 },
		{ "ro", MS_RDONLY, 0, 0, 0 },
		{ "rw", 0, MS_RDONLY, 0, 0 },
		{ "rro", 0, 0, MOUNT_ATTR_RDONLY, 0 },
		{ "rrw", 0, 0, 0, MOUNT_ATTR_RDONLY },
		{ "rnosuid", 0, 0, MOUNT_ATTR_NOSUID, 0 },
		{ "rsuid", 0, 0, 0, MOUNT_ATTR_NOSUID },
		{ "rnodev", 0, 0, MOUNT_ATTR_NODEV, 0 },
		{ "rdev", 0, 0, 0, MOUNT_ATTR_NODEV },
		{ "rnoexec", 0, 0, MOUNT_ATTR_NOEXEC, 0 },
		{ "rexec", 0, 0, 0, MOUNT_ATTR_NOEXEC },
		{ "rnodiratime", 0, 0, MOUNT_ATTR_NODIRATIME, 0 },
		{ "rdiratime", 0, 0, 0, MOUNT_ATTR_NODIRATIME },
		{ "rnosymfollow", 0, 0, 0x200000, 0 },
		{ "rsymfollow", 0, 0, 0, 0x200000 },
		{ "rnoatime", 0, 0, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME & ~MOUNT_ATTR_NOATIME },
		{ "ratime", 0, 0, 0, MOUNT_ATTR__ATIME },
		{ "rrelatime", 0, 0, 0, MOUNT_ATTR__ATIME },
		{ "rnorelatime", 0, 0, 0, MOUNT_ATTR__ATIME },
		{ "rstrictatime", 0, 0, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME & ~MOUNT_ATTR_STRICTATIME },
		{ "rnostrictatime", 0, 0, 0, MOUNT_ATTR__ATIME },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct oci_mount m = { 0 };

		assert_true(oci_mount_option(&m, rows[i].option));
		if (m.flags_set != rows[i].set || m.flags_clear != rows[i].clear ||
		    m.rec_attr_set != rows[i].tree_set || m.data)
			fail_msg("wrong flags of '%s'", rows[i].option);
		/* An access time is cleared as a whole, or the kernel refuses the call. */
		if (rows[i].tree_clear & MOUNT_ATTR__ATIME)
			assert_int_equal(m.rec_attr_clear, MOUNT_ATTR__ATIME);
		else
			assert_int_equal(m.rec_attr_clear, rows[i].tree_clear);
	}
}

static void mount_options_together(void **state)
{
	struct oci_config *c = accept_with(
		"\"mounts\":["
		"{\"destination\":\"rel/./x//\",\"source\":\"/"
		"s\",\"options\":[\"rbind\",\"ro\",\"rw\",\"noatime\",\"strictatime\",\"rslave\",\"shared\"]},"
		"{\"destination\":\"/b\",\"type\":\"bind\",\"source\":\"/s\"},"
		"{\"destination\":\"/c\",\"type\":\"overlay\",\"options\":[\"lowerdir=/a:/"
		"b\",\"\",\"rro\",\"rnodev\",\"rrw\",\"exec\",\"noexec\"]}],"
		"\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}");

	assert_string_equal(c->mounts[0].destination, "/rel/x");
	assert_null(c->mounts[0].type);
	assert_true(c->mounts[0].bind && c->mounts[0].recursive);
	assert_int_equal(c->mounts[0].flags_set, MS_STRICTATIME);
	assert_int_equal(c->mounts[0].flags_clear, MS_RDONLY);
	assert_int_equal(c->mounts[0].propagation, MS_SHARED);
	assert_null(c->mounts[0].data);
	assert_true(c->mounts[1].bind && !c->mounts[1].recursive);
	assert_false(c->mounts[2].bind);
	assert_string_equal(c->mounts[2].data, "lowerdir=/a:/b");
	assert_int_equal(c->mounts[2].rec_attr_set, MOUNT_ATTR_NODEV);
	assert_int_equal(c->mounts[2].rec_attr_clear, MOUNT_ATTR_RDONLY);
	assert_int_equal(c->mounts[2].flags_set, MS_NOEXEC);
	assert_int_equal(c->mounts[2].flags_clear, 0);
	oci_config_free(c);
}

static void every_kind_of_hook(void **state)
{
	struct oci_config *c =
		accept_with("\"hooks\":{\"prestart\":[{\"path\":\"/0\"}],\"createRuntime\":[{\"path\":\"/1\"}],"
			    "\"createContainer\":[{\"path\":\"/2\"}],\"startContainer\":[{\"path\":\"/3\"}],"
			    "\"poststart\":[{\"path\":\"/4\"}],\"poststop\":[{\"path\":\"/5\"},{\"path\":\"/6\"}]}");

	for (int kind = 0; kind < OCI_HOOKS; kind++) {
		char path[3] = { '/', (char)('0' + kind), '\0' };

		assert_int_equal(c->hooks[kind].n, kind == OCI_HOOK_POSTSTOP ? 2 : 1);
		assert_string_equal(c->hooks[kind].v[0].path, path);
	}
	oci_config_free(c);
}

#define SYSCTL(ns, key) "\"linux\":{\"namespaces\":[" ns "],\"sysctl\":{\"" key "\":\"1\"}}"
#define NS(name) "{\"type\":\"" name "\"}"

static void sysctls(void **state)
{
	static const char *const accepted[] = {
		SYSCTL(NS("network"), "net.ipv4.ip_forward"),
		SYSCTL(NS("network"), "net/ipv4/conf/eth0.1/forwarding"),
		SYSCTL(NS("ipc"), "kernel.shm_rmid_forced"),
		SYSCTL(NS("ipc"), "fs.mqueue.msg_max"),
		SYSCTL(NS("ipc"), "kernel/sem"),
		SYSCTL(NS("uts"), "kernel.domainname"),
	};
	static const struct {
		const char *members, *key, *error;
	} refused[] = {
		{ SYSCTL("", "net.core.somaxconn"), "net.core.somaxconn",
		  "needs a namespace of type 'network': it would be changed for the host" },
		{ SYSCTL(NS("network"), "kernel.msgmax"), "kernel.msgmax",
		  "needs a namespace of type 'ipc': it would be changed for the host" },
		{ SYSCTL(NS("ipc"), "kernel.panic"), "kernel.panic",
		  "is in no namespace: it would be changed for the whole host" },
		{ SYSCTL(NS("ipc"), "kernel.shmmaxx"), "kernel.shmmaxx",
		  "is in no namespace: it would be changed for the whole host" },
		{ SYSCTL(NS("network"), "network.x"), "network.x",
		  "is in no namespace: it would be changed for the whole host" },
		{ SYSCTL(NS("network"), "net/../kernel/panic"), "net/../kernel/panic", "this is no name of a sysctl" },
		{ SYSCTL(NS("network"), "net.///.kernel"), "net.///.kernel",
		  NULL }, /* a name with dots in it, below net: nothing else than absent */
		{ SYSCTL(NS("network"), "net..ipv4"), "net..ipv4", "this is no name of a sysctl" },
		{ SYSCTL(NS("network"), "/net/ipv4"), "/net/ipv4", "this is no name of a sysctl" },
		{ SYSCTL(NS("network"), "net."), "net.", "this is no name of a sysctl" },
		{ SYSCTL(NS("network"), "net.//.kernel.panic"), "net.//.kernel.panic", "this is no name of a sysctl" },
		{ SYSCTL(NS("uts"), "kernel.hostname"), "kernel.hostname", "is what 'hostname' is for" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		struct oci_config *c = accept_with(accepted[i]);

		assert_int_equal(c->sysctl_keys.n, 1);
		assert_string_equal(c->sysctl_values.v[0], "1");
		oci_config_free(c);
	}
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		char *expected;

		if (!refused[i].error) {
			oci_config_free(accept_with(refused[i].members));
			continue;
		}
		expected = xasprintf("linux.sysctl.%s: %s", refused[i].key, refused[i].error);
		refuse_with(refused[i].members, ERR_CONFIG, expected);
		free(expected);
	}
	refuse_with("\"linux\":{\"sysctl\":{\"kernel.sem\":1}}", ERR_CONFIG,
		    "linux.sysctl.kernel.sem: must be a string");
	refuse_with("\"linux\":{\"sysctl\":[]}", ERR_CONFIG, "linux.sysctl: must be an object");
}

static void what_is_empty_or_unknown_is_no_matter(void **state)
{
	static const char *const members[] = {
		"\"unknown\":{\"a\":[1,2.5e7,null,\"\\\"\\\\x\"]},\"process\":null,\"hostname\":null,\"linux\":null,"
		"\"mounts\":null",
		"\"process\":{\"cwd\":\"/"
		"\",\"commandLine\":\"\",\"user\":{\"username\":\"\",\"new\":1},\"apparmorProfile\":\"\","
		"\"selinuxLabel\":\"\","
		"\"ioPriority\":null,\"scheduler\":{},\"execCPUAffinity\":{}}",
		"\"windows\":{},\"solaris\":{},\"vm\":{},\"zos\":{},\"freebsd\":{}",
		"\"hostname\":\"\",\"domainname\":\"\",\"hooks\":{\"prestart\":[],\"createRuntime\":[],"
		"\"createContainer\":[],\"startContainer\":null}",
		"\"linux\":{\"uidMappings\":[],\"gidMappings\":[],\"sysctl\":{},\"mountLabel\":\"\",\"netDevices\":{},"
		"\"intelRdt\":{},\"memoryPolicy\":{},"
		"\"personality\":{},\"timeOffsets\":{\"monotonic\":{\"secs\":0,\"nanosecs\":0},\"boottime\":null},"
		"\"rootfsPropagation\":\"\",\"cgroupsPath\":\"\"}",
		"\"linux\":{\"resources\":{\"unified\":{},\"rdma\":{},\"hugepageLimits\":[],\"network\":{\"classID\":0,"
		"\"priorities\":[]},"
		"\"blockIO\":{\"weight\":0,\"leafWeight\":0,\"weightDevice\":[],\"throttleReadBpsDevice\":[]},\"pids\":"
		"{},\"memory\":{},\"cpu\":{\"cpus\":\"\"}}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		oci_config_free(accept_with(members[i]));
}

static void last_of_duplicate_keys_wins(void **state)
{
	struct oci_config *c = accept_with("\"process\":{\"cwd\":\"/a\",\"terminal\":true,\"cwd\":\"/"
					   "b\",\"terminal\":false},\"process\":{\"cwd\":\"/c\"}");

	assert_string_equal(c->process.cwd, "/c");
	oci_config_free(c);
	c = accept("{\"ociVersion\":5,\"root\":{\"path\":\"a\"},\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"b\","
		   "\"path\":\"c\"}}");
	assert_string_equal(c->version, "1.0.0");
	assert_string_equal(c->root_path, "c");
	oci_config_free(c);
}

static void strings_are_bytes(void **state)
{
	struct oci_config *c =
		accept_with("\"process\":{\"cwd\":\"/\",\"args\":[\"\xff\xfe\",\"\\u00e9\\n\\\"\",\"\"]}");

	assert_string_equal(c->process.args.v[0], "\xff\xfe");
	assert_string_equal(c->process.args.v[1], "\xc3\xa9\n\"");
	assert_string_equal(c->process.args.v[2], "");
	oci_config_free(c);
}

/* ---- what is refused ---- */

static void not_json(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "", "config.json: line 1, column 1: the file is empty" },
		{ " \n\t ", "config.json: line 2, column 3: the file is empty" },
		{ "{", "config.json: line 1, column 2: the text ends too early" },
		{ "{\n  \"a\": [1,\n", "config.json: line 3, column 1: the text ends too early" },
		{ "{\"a\":\"x", "config.json: line 1, column 8: the string has no end" },
		{ "{\"a\":nan}", "config.json: line 1, column 6: unexpected character" },
		{ "{\n\t'a': 1}", "config.json: line 2, column 2: unexpected character" },
		{ "{\"a\":\"\xc3\xa9\xc3\xa9\",?}", "config.json: line 1, column 11: unexpected character" },
		{ "{\"a\":01}", "config.json: line 1, column 6: not a number" },
		{ "{\"a\":-}", "config.json: line 1, column 6: not a number" },
		{ "{\"a\":1.}", "config.json: line 1, column 6: not a number" },
		{ "{\"a\":1e+}", "config.json: line 1, column 6: not a number" },
		{ "{\"a\":18446744073709551616}", "config.json: line 1, column 6: the number is too large" },
		{ "{\"a\":100000000000000000000}", "config.json: line 1, column 6: the number is too large" },
		{ "{\"a\":-9223372036854775809}", "config.json: line 1, column 6: the number is too large" },
		{ "{\"a\":1,}", "config.json: line 1, column 8: a closing bracket after a comma" },
		{ "{\"a\":[1,\n]}", "config.json: line 2, column 1: a closing bracket after a comma" },
		{ "{} {}", "config.json: line 1, column 4: the text goes on after its end" },
		{ "{}\n1", "config.json: line 2, column 1: the text goes on after its end" },
		{ "{\"a\":True}", "config.json: line 1, column 6: unexpected character" },
		{ "/* */{}", "config.json: line 1, column 1: unexpected character" },
		{ "{\"a\":\"x\ny\"}", "config.json: line 1, column 8: control character in a string" },
		{ "{\"a\":\"x\\u0000y\"}", "config.json: line 1, column 8: NUL character in a string" },
		{ "{\"a\\u0000b\":1}", "config.json: line 1, column 4: NUL character in a string" },
		{ "[]", "config.json: must be an object" },
		{ "null", "config.json: must be an object" },
		{ "\"x\"", "config.json: must be an object" },
	};
	/* json-c's own words, of which only the place is ours. */
	static const struct {
		const char *text, *start;
	} places[] = {
		{ "{]", "config.json: line 1, column 2: " },
		{ "{\n \"a\": 1\n \"b\":2}", "config.json: line 3, column 2: " },
		{ "[1 2]", "config.json: line 1, column 4: " },
		{ "{\"a\":\"\\q\"}", "config.json: line 1, column 8: " },
		{ "{\"a\" 1}", "config.json: line 1, column 6: " },
		{ "]", "config.json: line 1, column 1: " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		refuse_text(rows[i].text, ERR_CONFIG, rows[i].error);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct oci_config *c = NULL;
		struct err err = { 0 };

		assert_int_equal(oci_config_parse(places[i].text, strlen(places[i].text), &c, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		if (strncmp(err.text, places[i].start, strlen(places[i].start)) != 0)
			fail_msg("'%s' instead of '%s...'", err.text, places[i].start);
	}
	/* A NUL does not end the text. */
	refuse_len("{}\0{}", 5, ERR_CONFIG, "config.json: line 1, column 3: unexpected character");
	refuse_len("\0", 1, ERR_CONFIG, "config.json: line 1, column 1: unexpected character");
}

/* What stands between the braces, and the one line that it gets. */
struct refusal {
	const char *members;
	const char *error;
};

static void refuse_rows(const struct refusal *rows, size_t n, ErrCode code)
{
	for (size_t i = 0; i < n; i++)
		refuse_with(rows[i].members, code, rows[i].error);
}

#define P "\"process\":{\"cwd\":\"/\","
#define L "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],"
#define R "\"linux\":{\"resources\":{"

static void wrong_values(void **state)
{
	static const struct refusal rows[] = {
		{ "\"process\":5", "process: must be an object" },
		{ "\"process\":{}", "process.cwd: is missing" },
		{ "\"process\":{\"cwd\":\"\"}", "process.cwd: must be an absolute path" },
		{ "\"process\":{\"cwd\":\"a/b\"}", "process.cwd: must be an absolute path" },
		{ "\"process\":{\"cwd\":[]}", "process.cwd: must be a string" },
		{ P "\"terminal\":1}", "process.terminal: must be true or false" },
		{ P "\"args\":\"sh\"}", "process.args: must be a list" },
		{ P "\"args\":[\"a\",null]}", "process.args[1]: must be a string" },
		{ P "\"args\":[\"a\",7]}", "process.args[1]: must be a string" },
		{ P "\"env\":[\"A=b\",\"B\"]}", "process.env[1]: must be NAME=VALUE" },
		{ P "\"env\":[\"=b\"]}", "process.env[0]: must be NAME=VALUE" },
		{ P "\"user\":[]}", "process.user: must be an object" },
		{ P "\"user\":{\"uid\":-1}}", "process.user.uid: must be between 0 and 4294967294" },
		{ P "\"user\":{\"uid\":4294967295}}", "process.user.uid: must be between 0 and 4294967294" },
		{ P "\"user\":{\"gid\":1.0}}", "process.user.gid: must be an integer" },
		{ P "\"user\":{\"gid\":1e3}}", "process.user.gid: must be an integer" },
		{ P "\"user\":{\"gid\":\"5\"}}", "process.user.gid: must be an integer" },
		{ P "\"user\":{\"umask\":512}}", "process.user.umask: must be between 0 and 511" },
		{ P "\"user\":{\"additionalGids\":[1,2,-3]}}",
		  "process.user.additionalGids[2]: must be between 0 and 4294967294" },
		{ P "\"consoleSize\":{\"height\":5}}", "process.consoleSize.width: is missing" },
		{ P "\"consoleSize\":{\"height\":65536,\"width\":1}}",
		  "process.consoleSize.height: must be between 0 and 65535" },
		{ P "\"oomScoreAdj\":1001}", "process.oomScoreAdj: must be between -1000 and 1000" },
		{ P "\"oomScoreAdj\":18446744073709551615}", "process.oomScoreAdj: must be between -1000 and 1000" },
		{ P "\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_FLY\"]}}",
		  "process.capabilities.bounding[1]: unknown capability 'CAP_FLY'" },
		{ P "\"capabilities\":{\"bounding\":[\"cap_kill\"]}}",
		  "process.capabilities.bounding[0]: unknown capability 'cap_kill'" },
		{ P "\"capabilities\":{\"ambient\":[null]}}", "process.capabilities.ambient[0]: must not be null" },
		{ P "\"capabilities\":{\"effective\":[\"CAP_KILL\"]}}",
		  "process.capabilities.effective: CAP_KILL is not in permitted" },
		{ P "\"capabilities\":{\"inheritable\":[\"CAP_BPF\"]}}",
		  "process.capabilities.inheritable: CAP_BPF is not in bounding" },
		{ P "\"rlimits\":[{\"type\":\"RLIMIT_X\",\"soft\":1,\"hard\":1}]}",
		  "process.rlimits[0].type: unknown limit 'RLIMIT_X'" },
		{ P "\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"hard\":1}]}", "process.rlimits[0].soft: is missing" },
		{ P "\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":-1,\"hard\":1}]}",
		  "process.rlimits[0].soft: must be between 0 and 18446744073709551615" },
		{ P "\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":2,\"hard\":1}]}",
		  "process.rlimits[0].soft: is above the hard limit" },
		{ P "\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":1,\"hard\":1},{\"type\":\"RLIMIT_CORE\",\"soft\":"
		    "1,\"hard\":1}]}",
		  "process.rlimits[1].type: 'RLIMIT_CORE' is listed twice" },
		{ "\"hostname\":\"h\"", "hostname: needs a uts namespace" },
		{ "\"domainname\":\"d\"", "domainname: needs a uts namespace" },
		{ "\"hostname\":\"12345678901234567890123456789012345678901234567890123456789012345\",\"linux\":{"
		  "\"namespaces\":[{\"type\":\"uts\"}]}",
		  "hostname: longer than 64 bytes" },
		{ "\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\"}]", "mounts: needs a mount namespace" },
		{ "\"linux\":{\"maskedPaths\":[\"/a\"]}", "linux.maskedPaths: needs a mount namespace" },
		{ "\"linux\":{\"readonlyPaths\":[\"/a\"]}", "linux.readonlyPaths: needs a mount namespace" },
		{ "\"linux\":{\"rootfsPropagation\":\"shared\"}", "linux.rootfsPropagation: needs a mount namespace" },
		{ L "\"maskedPaths\":[\"/a\",\"b\"]}", "linux.maskedPaths[1]: must be an absolute path" },
		{ L "\"rootfsPropagation\":\"odd\"}",
		  "linux.rootfsPropagation: must be 'private', 'slave', 'shared' or 'unbindable'" },
		{ "\"mounts\":{}", "mounts: must be a list" },
		{ "\"mounts\":[5]", "mounts[0]: must be an object" },
		{ "\"mounts\":[null]", "mounts[0]: must not be null" },
		{ "\"mounts\":[{\"type\":\"proc\"}]", "mounts[0].destination: is missing" },
		{ "\"mounts\":[{\"destination\":\"\"}]", "mounts[0].destination: must not be empty" },
		{ "\"mounts\":[{\"destination\":\"/a\",\"options\":[\"ro\",1]}]",
		  "mounts[0].options[1]: must be a string" },
		{ L "\"x\":0},\"mounts\":[{\"destination\":\"/a\",\"options\":[\"bind\"]}]",
		  "mounts[0].source: is missing" },
		{ L "\"x\":0},\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\"},{\"destination\":\"/b\"}]",
		  "mounts[1].type: is missing" },
		{ L "\"x\":1},\"mounts\":[{\"destination\":\"/a\",\"type\":\"proc\",\"options\":[\"tmpcopyup\"]}]",
		  "mounts[0].options: 'tmpcopyup' is for a tmpfs only" },
		{ "\"hooks\":{\"poststart\":[{}]}", "hooks.poststart[0].path: is missing" },
		{ "\"hooks\":{\"poststart\":[{\"path\":\"x\"}]}", "hooks.poststart[0].path: must be an absolute path" },
		{ "\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"timeout\":0}]}",
		  "hooks.poststop[0].timeout: must be between 1 and 2147483647" },
		{ "\"annotations\":{\"a.b\":1}", "annotations.a.b: must be a string" },
		{ "\"annotations\":{\"a.b\":null}", "annotations.a.b: must be a string" },
		{ "\"annotations\":{\"\":\"x\"}", "annotations: a key must not be empty" },
		{ "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}",
		  "linux.namespaces[1].type: 'pid' is listed twice" },
		{ "\"linux\":{\"namespaces\":[{\"type\":\"net\"}]}",
		  "linux.namespaces[0].type: unknown namespace 'net'" },
		{ "\"linux\":{\"namespaces\":[{}]}", "linux.namespaces[0].type: is missing" },
		{ "\"linux\":{\"namespaces\":[{\"type\":\"\"}]}", "linux.namespaces[0].type: must not be empty" },
		{ "\"linux\":{\"namespaces\":[{\"type\":\"ipc\",\"path\":\"ns\"}]}",
		  "linux.namespaces[0].path: must be an absolute path" },
		{ "\"linux\":{\"devices\":[{\"path\":\"/dev/x\"}]}", "linux.devices[0].type: is missing" },
		{ "\"linux\":{\"devices\":[{\"path\":\"/dev/x\",\"type\":\"d\"}]}",
		  "linux.devices[0].type: must be 'c', 'b', 'u' or 'p'" },
		{ "\"linux\":{\"devices\":[{\"path\":\"dev/x\",\"type\":\"p\"}]}",
		  "linux.devices[0].path: must be an absolute path" },
		{ "\"linux\":{\"devices\":[{\"path\":\"/dev/x\",\"type\":\"c\",\"major\":1}]}",
		  "linux.devices[0].minor: is missing" },
		{ "\"linux\":{\"devices\":[{\"path\":\"/dev/x\",\"type\":\"c\",\"major\":4096,\"minor\":0}]}",
		  "linux.devices[0].major: must be between 0 and 4095" },
		{ "\"linux\":{\"devices\":[{\"path\":\"/dev/"
		  "x\",\"type\":\"c\",\"major\":1,\"minor\":3,\"fileMode\":25014}]}",
		  "linux.devices[0].fileMode: says another type than 'c'" },
		{ "\"linux\":{\"devices\":[{\"path\":\"/dev/x\",\"type\":\"p\"},{\"path\":\"/dev/./"
		  "x\",\"type\":\"p\"}]}",
		  "linux.devices[1].path: '/dev/x' is listed twice" },
		{ R "\"devices\":[{\"access\":\"r\"}]}}", "linux.resources.devices[0].allow: is missing" },
		{ R "\"devices\":[{\"allow\":true}]}}", "linux.resources.devices[0].access: is missing" },
		{ R "\"devices\":[{\"allow\":true,\"access\":\"rx\"}]}}",
		  "linux.resources.devices[0].access: must be made of 'r', 'w' and 'm'" },
		{ R "\"devices\":[{\"allow\":true,\"access\":\"r\",\"major\":1,\"minor\":3}]}}",
		  "linux.resources.devices[0].type: must be 'c' or 'b' when there is a device number" },
		{ R "\"devices\":[{\"allow\":true,\"access\":\"r\",\"type\":\"c\",\"major\":-2}]}}",
		  "linux.resources.devices[0].major: must be between -1 and 4294967295" },
		{ R "\"pids\":{\"limit\":\"5\"}}}", "linux.resources.pids.limit: must be an integer" },
		{ R "\"pids\":{\"limit\":5.5}}}", "linux.resources.pids.limit: must be an integer" },
		{ R "\"pids\":{\"limit\":9223372036854775808}}}",
		  "linux.resources.pids.limit: must be between -9223372036854775808 and 9223372036854775807" },
		{ R "\"memory\":{\"limit\":true}}}", "linux.resources.memory.limit: must be an integer" },
		{ R "\"memory\":{\"limit\":2,\"swap\":1}}}", "linux.resources.memory.swap: is below memory.limit" },
		{ R "\"memory\":{\"limit\":-1,\"swap\":1}}}", "linux.resources.memory.swap: is below memory.limit" },
		{ R "\"memory\":{\"swappiness\":101}}}",
		  "linux.resources.memory.swappiness: must be between 0 and 100" },
		{ R "\"cpu\":{\"shares\":-1}}}",
		  "linux.resources.cpu.shares: must be between 0 and 18446744073709551615" },
		{ R "\"cpu\":{\"cpus\":1}}}", "linux.resources.cpu.cpus: must be a string" },
		{ "\"linux\":{\"cgroupsPath\":{}}", "linux.cgroupsPath: must be a string" },
		{ "\"linux\":{\"seccomp\":{\"syscalls\":[{\"names\":[\"a\"],\"action\":\"x\"}]}}",
		  "linux.seccomp.defaultAction: is missing" },
		{ "\"linux\":{\"seccomp\":{\"defaultAction\":\"a\",\"syscalls\":[{\"names\":[],\"action\":\"x\"}]}}",
		  "linux.seccomp.syscalls[0].names: must not be empty" },
		{ "\"linux\":{\"seccomp\":{\"defaultAction\":\"a\",\"syscalls\":[{\"names\":[\"a\"]}]}}",
		  "linux.seccomp.syscalls[0].action: is missing" },
		{ "\"linux\":{\"seccomp\":{\"defaultAction\":\"a\",\"syscalls\":[{\"names\":[\"a\"],\"action\":\"x\","
		  "\"args\":[{\"index\":6,\"value\":1,\"op\":\"x\"}]}]}}",
		  "linux.seccomp.syscalls[0].args[0].index: must be between 0 and 5" },
	};

	refuse_rows(rows, ARRAY_SIZE(rows), ERR_CONFIG);
	refuse_text("{\"root\":{\"path\":\"a\"}}", ERR_CONFIG, "ociVersion: is missing");
	refuse_text("{\"ociVersion\":\"1.0.0\"}", ERR_CONFIG, "root: is missing");
	refuse_text("{\"ociVersion\":\"1.0.0\",\"root\":{}}", ERR_CONFIG, "root.path: is missing");
	refuse_text("{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"\"}}", ERR_CONFIG, "root.path: must not be empty");
	refuse_text("{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"a\",\"readonly\":true}}", ERR_CONFIG,
		    "root.readonly: needs a mount namespace");
	refuse_text("{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"a\",\"readonly\":\"yes\"}}", ERR_CONFIG,
		    "root.readonly: must be true or false");
}

static void scheduling(void **state)
{
	static const struct refusal rows[] = {
		{ P "\"scheduler\":{\"nice\":1}}", "process.scheduler.policy: is missing" },
		{ P "\"scheduler\":{\"policy\":\"SCHED_LAZY\"}}",
		  "process.scheduler.policy: unknown word 'SCHED_LAZY'" },
		{ P "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":20}}",
		  "process.scheduler.nice: must be between -20 and 19" },
		{ P "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"flags\":[\"X\"]}}",
		  "process.scheduler.flags[0]: unknown word 'X'" },
		{ P "\"scheduler\":{\"policy\":\"SCHED_FIFO\"}}",
		  "process.scheduler.priority: must be between 1 and 99" },
		{ P "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"priority\":1}}",
		  "process.scheduler.priority: is for SCHED_FIFO and SCHED_RR" },
		{ P "\"scheduler\":{\"policy\":\"SCHED_IDLE\",\"nice\":1}}",
		  "process.scheduler.nice: is for SCHED_OTHER and SCHED_BATCH" },
		{ P "\"scheduler\":{\"policy\":\"SCHED_RR\",\"priority\":5,\"period\":7}}",
		  "process.scheduler: runtime, deadline and period are for SCHED_DEADLINE" },
		{ P "\"ioPriority\":{\"priority\":1}}", "process.ioPriority.class: is missing" },
		{ P "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}}",
		  "process.ioPriority.priority: must be between 0 and 7" },
		{ P "\"execCPUAffinity\":{\"initial\":\"0-\"}}",
		  "process.execCPUAffinity.initial: must be a list of numbers below 1024, such as 0-2,7" },
		{ P "\"execCPUAffinity\":{\"final\":\"2-1\"}}",
		  "process.execCPUAffinity.final: must be a list of numbers below 1024, such as 0-2,7" },
		{ "\"linux\":{\"memoryPolicy\":{\"nodes\":\"0\"}}", "linux.memoryPolicy.mode: is missing" },
		{ "\"linux\":{\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"1024\"}}",
		  "linux.memoryPolicy.nodes: must be a list of numbers below 1024, such as 0-2,7" },
		{ "\"linux\":{\"mountLabel\":\"a\\\"b\"}", "linux.mountLabel: must not have quotes in it" },
		{ "\"linux\":{\"personality\":{\"domain\":\"BSD\"}}", "linux.personality.domain: unknown word 'BSD'" },
	};
	static const char *const bad_sets[] = { "a",  ",",  "0,",   ",0",   "01",         " 0",
						"0 ", "-1", "0--1", "1024", "99999999999" };
	struct oci_config *c = accept_with(
		P "\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"flags\":[\"SCHED_FLAG_RECLAIM\","
		  "\"SCHED_FLAG_RESET_ON_FORK\"],\"runtime\":1,\"deadline\":2,\"period\":18446744073709551615},"
		  "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_IDLE\",\"priority\":3},"
		  "\"execCPUAffinity\":{\"initial\":\"0-2,65\",\"final\":\"1023\"}},"
		  "\"linux\":{\"memoryPolicy\":{\"mode\":\"MPOL_INTERLEAVE\",\"nodes\":\"0,2-3\",\"flags\":"
		  "[\"MPOL_F_STATIC_NODES\"]},\"personality\":{\"domain\":\"LINUX32\",\"flags\":[]}}");
	const struct oci_process *p = &c->process;

	assert_true(p->scheduler.set);
	assert_int_equal(p->scheduler.policy, 6);
	assert_int_equal(p->scheduler.flags, 3);
	assert_true(p->scheduler.period_ns == UINT64_MAX);
	assert_true(p->io_priority.set);
	assert_int_equal(p->io_priority.class, 3);
	assert_int_equal(p->io_priority.priority, 3);
	assert_int_equal(p->exec_affinity_initial.bits[0], 7);
	assert_int_equal(p->exec_affinity_initial.bits[1], 2);
	assert_true(p->exec_affinity_final.bits[15] == 1ul << 63);
	assert_int_equal(p->memory_policy.mode, 3);
	assert_int_equal(p->memory_policy.flags, 1 << 15);
	assert_int_equal(p->memory_policy.nodes.bits[0], 13);
	assert_int_equal(p->personality.domain, 8);
	oci_config_free(c);
	refuse_rows(rows, ARRAY_SIZE(rows), ERR_CONFIG);
	for (size_t i = 0; i < ARRAY_SIZE(bad_sets); i++) {
		char *members = xasprintf(P "\"execCPUAffinity\":{\"final\":\"%s\"}}", bad_sets[i]);

		refuse_with(members, ERR_CONFIG,
			    "process.execCPUAffinity.final: must be a list of numbers below 1024, such as 0-2,7");
		free(members);
	}
}

/* Every field that the specification has and this version has not. */
static void not_done_is_refused_by_name(void **state)
{
	static const char *const fields[][2] = {
		{ "\"linux\":{\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"x\"]}}", "linux.personality.flags" },
	};
	static const char *const platforms[] = { "windows", "solaris", "vm", "zos", "freebsd" };
	static const struct refusal rows[] = {
		{ "\"mounts\":[{\"destination\":\"/a\",\"options\":[\"ro\",\"remount\"]}]",
		  "mounts[0].options[1]: 'remount' is not supported yet" },
		{ P "\"commandLine\":\"x\"}", "process.commandLine: not for Linux" },
		{ P "\"user\":{\"username\":\"x\"}}", "process.user.username: not for Linux" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		char *expected = xasprintf("%s: not supported yet", fields[i][1]);

		refuse_with(fields[i][0], ERR_UNSUPPORTED, expected);
		free(expected);
	}
	for (size_t i = 0; i < ARRAY_SIZE(platforms); i++) {
		char *members = xasprintf("\"%s\":{\"x\":1}", platforms[i]),
		     *expected = xasprintf("%s: not for Linux", platforms[i]);

		refuse_with(members, ERR_UNSUPPORTED, expected);
		free(members);
		free(expected);
	}
	refuse_rows(rows, ARRAY_SIZE(rows), ERR_UNSUPPORTED);
}

static void versions(void **state)
{
	static const struct {
		const char *version;
		ErrCode code; /* 0: accepted */
	} rows[] = {
		{ "1.0.0", 0 },
		{ "1.0.1-dev", 0 },
		{ "1.0.2", 0 },
		{ "1.1.0-rc.1", 0 },
		{ "1.3.0", 0 },
		{ "1.99.0+build.5", 0 },
		{ "1.0.0+b", 0 },
		{ "0.5.0-dev", ERR_UNSUPPORTED },
		{ "1.0.0-rc5", ERR_UNSUPPORTED },
		{ "2.0.0", ERR_UNSUPPORTED },
		{ "10.0.0", ERR_UNSUPPORTED },
		{ "1", ERR_CONFIG },
		{ "1.0", ERR_CONFIG },
		{ "1.0.", ERR_CONFIG },
		{ "1.0.0.0", ERR_CONFIG },
		{ "1.00.0", ERR_CONFIG },
		{ "1.0.0-", ERR_CONFIG },
		{ "1.0.0 ", ERR_CONFIG },
		{ "v1.0.0", ERR_CONFIG },
		{ "1.0.0-a b", ERR_CONFIG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = xasprintf("{\"ociVersion\":\"%s\",\"root\":{\"path\":\"a\"}}", rows[i].version),
		     *expected = NULL;

		if (rows[i].code == ERR_UNSUPPORTED)
			expected = xasprintf("ociVersion: '%s' is not supported: 1.0.0 and later 1.x are",
					     rows[i].version);
		else if (rows[i].code)
			expected = xasprintf("ociVersion: '%s' is not a version", rows[i].version);
		if (expected)
			refuse_text(text, rows[i].code, expected);
		else
			oci_config_free(accept(text));
		free(expected);
		free(text);
	}
}

/* ---- the specification's own examples ---- */

static void examples(void **state)
{
	static const struct {
		const char *file;
		ErrCode code; /* 0: accepted */
		const char *error;
	} rows[] = {
		{ "good/minimal.json", 0, NULL },
		{ "good/minimal-for-start.json", 0, NULL },
		{ "good/zos-minimal.json", 0, NULL },
		{ "good/freebsd-minimal.json", 0, NULL },
		/* Good, and more than this version does. */
		{ "good/linux-netdevice.json", 0, NULL },
		{ "good/linux-rdma.json", 0, NULL },
		/* Good on other systems. */
		{ "bad/freebsd-vnet-disable.json", ERR_UNSUPPORTED, "freebsd: not for Linux" },
		{ "bad/linux-hugepage.json", ERR_CONFIG,
		  "linux.resources.hugepageLimits[0].pageSize: must be a size such as 2MB or 1GB" },
		{ "bad/linux-netdevice.json", ERR_CONFIG, "linux.netDevices.eth0.name: must be a string" },
		{ "bad/linux-rdma.json", ERR_CONFIG, "linux.resources.rdma.mlx5_1.hcaHandles: must be an integer" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = fixture(rows[i].file);

		if (rows[i].code)
			refuse_text(text, rows[i].code, rows[i].error);
		else
			oci_config_free(accept(text));
		free(text);
	}
}

static void invalid_json_example(void **state)
{
	char *text = fixture("bad/invalid-json.json");
	struct oci_config *c = NULL;
	struct err err = { 0 };

	assert_int_equal(oci_config_parse(text, strlen(text), &c, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_int_equal(strncmp(err.text, "config.json: line 1, column 2: ", 31), 0);
	free(text);
}

/* The large example, with a version of today. */
static void large_example(void **state)
{
	char *text = fixture("good/spec-example.json");
	struct json_object *root = json_tokener_parse(text);
	struct oci_config *c;

	json_object_object_add(root, "ociVersion", json_object_new_string("1.3.0"));
	c = accept(json_object_to_json_string(root));
	assert_int_equal(c->process.n_additional_gids, 2);
	assert_int_equal(c->process.caps.ambient, CAP_BIT(CAP_NET_BIND_SERVICE));
	assert_int_equal(c->hooks[OCI_HOOK_POSTSTART].v[0].timeout_s, 5);
	assert_string_equal(c->hooks[OCI_HOOK_POSTSTOP].v[0].args.v[1], "-f");
	assert_int_equal(c->devices[1].type, 'b');
	assert_int_equal(c->uid_maps.n, 1);
	assert_int_equal(c->uid_maps.v[0].host, 1000);
	assert_int_equal(c->gid_maps.v[0].size, 32000);
	assert_int_equal(c->boottime.secs, 604800);
	assert_int_equal(c->devices[1].mode, 0660);
	assert_int_equal(c->resources.pids_limit.v, 32771);
	assert_int_equal(c->resources.n_devices, 3);
	assert_string_equal(c->resources.cpu.mems, "0-7");
	assert_int_equal(c->rootfs_propagation, MS_SLAVE);
	assert_true(c->seccomp.set);
	assert_int_equal(c->annotation_keys.n, 2);
	assert_int_equal(c->sysctl_keys.n, 2);
	assert_string_equal(c->process.apparmor_profile, "acme_secure_profile");
	assert_string_equal(c->process.selinux_label, "system_u:system_r:svirt_lxc_net_t:s0:c124,c675");
	assert_string_equal(c->mount_label, "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811");
	oci_config_free(c);
	json_object_put(root);
	free(text);
}

/* ---- limits, and texts that are damaged ---- */

static char *repeat(const char *what, size_t n, const char *end)
{
	size_t len = strlen(what);
	char *text = xmalloc(len * n + strlen(end) + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(text + i * len, what, len);
	strcpy(text + n * len, end);
	return text;
}

static void limits(void **state)
{
	char *list = repeat("\"a=b\",", OCI_LIST_MAX, "\"a=b\"");
	char *members = xasprintf(P "\"env\":[%s]}", list), *deep, *large;
	struct oci_config *c;
	struct err err = { 0 };

	refuse_with(members, ERR_LIMIT, "process.env: has more than 10000 entries");
	free(members);
	list[strlen(list) - 6] = ' '; /* ",\"a=b\"" off the end */
	memset(list + strlen(list) - 5, ' ', 5);
	members = xasprintf(P "\"env\":[%s]}", list);
	c = accept_with(members);
	assert_int_equal(c->process.env.n, OCI_LIST_MAX);
	oci_config_free(c);
	free(members);
	free(list);

	deep = repeat("[", 1000000, "");
	members = xasprintf("{\"a\":%s", deep);
	assert_int_equal(oci_config_parse(members, strlen(members), &c, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.text, "nesting too deep"));
	free(members);
	free(deep);
	deep = repeat("{\"a\":", 100000, "");
	assert_int_equal(oci_config_parse(deep, strlen(deep), &c, &err), -1);
	free(deep);
	deep = repeat("1,", 1500000, "1]}");
	memcpy(deep, "{\"a\":[", 6);
	refuse_text(deep, ERR_CONFIG, "config.json: line 1, column 800005: too many values");
	free(deep);

	large = repeat(" ", OCI_CONFIG_MAX + 1, "");
	refuse_text(large, ERR_LIMIT, "config.json: larger than 4194304 bytes");
	free(large);
	large = repeat("x", 3 << 20, "");
	members = xasprintf(P "\"args\":[\"%s\"]}", large);
	c = accept_with(members);
	assert_int_equal(strlen(c->process.args.v[0]), 3 << 20);
	oci_config_free(c);
	free(members);
	free(large);
}

/* Some answer in one line, whatever the text: the sanitizers watch over the rest. */
static int any_answer(const char *text, size_t len)
{
	struct oci_config *c = NULL;
	struct err err = { 0 };

	if (oci_config_parse(text, len, &c, &err) == 0) {
		assert_non_null(c);
		oci_config_free(c);
		return 0;
	}
	assert_null(c);
	assert_true(err.code == ERR_CONFIG || err.code == ERR_UNSUPPORTED || err.code == ERR_LIMIT);
	assert_true(err.text[0] != '\0');
	assert_null(strchr(err.text, '\n'));
	return -1;
}

static void truncated_anywhere(void **state)
{
	char *text = fixture("default-spec.json");
	size_t whole = (size_t)(strrchr(text, '}') + 1 - text);

	for (size_t len = 0; len < whole; len++) {
		/* A copy of that very size: reading past its end is seen. */
		char *part = xmalloc(len);
		struct oci_config *c;
		struct err err;

		memcpy(part, text, len);
		assert_int_equal(oci_config_parse(part, len, &c, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_int_equal(strncmp(err.text, "config.json: line ", 18), 0);
		free(part);
	}
	assert_int_equal(any_answer(text, whole), 0);
	free(text);
}

static void flipped_bits(void **state)
{
	char *text = fixture("default-spec.json");
	size_t len = strlen(text), accepted = 0;

	for (size_t i = 0; i < len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			text[i] ^= (char)(1 << bit);
			accepted += any_answer(text, len) == 0;
			text[i] ^= (char)(1 << bit);
		}
	}
	/* Letters inside of strings may change, braces may not. */
	assert_in_range(accepted, 1, len * 8 - 1);
	free(text);
}

/* Another value in the place of each value of the large example. */
static void replaced_values(void **state)
{
	static const char *const values[] = {
		"null", "-1", "18446744073709551615", "1.5", "\"\"", "\"x\"", "[]", "{}", "true", "[[[{}]]]"
	};
	char *text = fixture("good/spec-example.json");
	size_t len = strlen(text), places = 0;

	for (size_t i = 0; i + 2 < len; i++) {
		size_t end;

		if (text[i] != ':' || text[i + 1] != ' ')
			continue;
		places++;
		end = i + 2 + strcspn(text + i + 2, ",\n");
		for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
			char *other = xasprintf("%.*s%s%s", (int)(i + 2), text, values[k], text + end);

			any_answer(other, strlen(other));
			free(other);
		}
	}
	assert_true(places > 100);
	free(text);
}

static void free_takes_anything(void **state)
{
	oci_config_free(NULL);
	oci_config_free(xcalloc(1, sizeof(struct oci_config)));
}

static void names_go_both_ways(void **state)
{
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		assert_int_equal(oci_capability_number(oci_capability_name(cap)), cap);
	for (int r = 0; r < RLIM_NLIMITS; r++)
		assert_int_equal(oci_rlimit_number(oci_rlimit_name(r)), r);
	for (enum oci_ns ns = 0; ns < OCI_NS_COUNT; ns++) {
		char path[64];

		assert_int_equal(oci_ns_number(oci_ns_name(ns)), ns);
		snprintf(path, sizeof(path), "/proc/self/ns/%s", oci_ns_proc_name(ns));
		assert_int_equal(access(path, F_OK), 0);
	}
	assert_int_equal(oci_capability_number("CAP_CHOW"), -1);
	assert_int_equal(oci_rlimit_number(""), -1);
	assert_int_equal(oci_ns_number("mnt"), OCI_NS_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_spec_is_read_whole),
		cmocka_unit_test(least_config_has_nothing_set),
		cmocka_unit_test(process_fields),
		cmocka_unit_test(linux_fields),
		cmocka_unit_test(seccomp_fields),
		cmocka_unit_test(mount_options),
		cmocka_unit_test(mount_options_together),
		cmocka_unit_test(every_kind_of_hook),
		cmocka_unit_test(sysctls),
		cmocka_unit_test(scheduling),
		cmocka_unit_test(what_is_empty_or_unknown_is_no_matter),
		cmocka_unit_test(last_of_duplicate_keys_wins),
		cmocka_unit_test(strings_are_bytes),
		cmocka_unit_test(not_json),
		cmocka_unit_test(wrong_values),
		cmocka_unit_test(not_done_is_refused_by_name),
		cmocka_unit_test(versions),
		cmocka_unit_test(examples),
		cmocka_unit_test(invalid_json_example),
		cmocka_unit_test(large_example),
		cmocka_unit_test(limits),
		cmocka_unit_test(truncated_anywhere),
		cmocka_unit_test(flipped_bits),
		cmocka_unit_test(replaced_values),
		cmocka_unit_test(free_takes_anything),
		cmocka_unit_test(names_go_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
