/* SPDX-License-Identifier: Apache-2.0 */
/* Reading config.json: every field, and the examples of the specification. */
#include "tests/unit/oci.h"

#include <linux/capability.h>
#include <sys/mount.h>
#include <unistd.h>

#include <json-c/json.h>

#include "shim/oci/names.h"

#define CAP_BIT(c) (1ull << (c))

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
		"\"cpu\":{\"shares\":262144,\"quota\":-1,\"period\":100000,\"burst\":18446744073709551615,"
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
	assert_int_equal(r->cpu.shares.v, 262144);
	assert_int_equal(r->cpu.quota.v, -1);
	assert_true(r->cpu.burst.v == UINT64_MAX);
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

/* covers: linux.seccomp.{defaultAction,defaultErrnoRet,flags,architectures} */
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

static void what_is_empty_or_unknown_is_no_matter(void **state)
{
	static const char *const members[] = {
		"\"unknown\":{\"a\":[1,2.5e7,null,\"\\\"\\\\x\"]},\"process\":null,\"hostname\":null,\"linux\":null,"
		"\"mounts\":null",
		"\"process\":{\"cwd\":\"/"
		"\",\"commandLine\":\"\",\"user\":{\"username\":\"\",\"new\":1},\"apparmorProfile\":\"\","
		"\"selinuxLabel\":\"\","
		"\"ioPriority\":null,\"scheduler\":null,\"execCPUAffinity\":{}}",
		"\"windows\":{},\"solaris\":{},\"vm\":{},\"zos\":{}",
		"\"hostname\":\"\",\"domainname\":\"\",\"hooks\":{\"prestart\":[],\"createRuntime\":[],"
		"\"createContainer\":[],\"startContainer\":null}",
		"\"linux\":{\"uidMappings\":[],\"gidMappings\":[],\"sysctl\":{},\"mountLabel\":\"\",\"netDevices\":{},"
		"\"intelRdt\":{},\"memoryPolicy\":null,"
		"\"personality\":null,\"timeOffsets\":{\"monotonic\":{\"secs\":0,\"nanosecs\":0},\"boottime\":null},"
		"\"rootfsPropagation\":\"\",\"cgroupsPath\":\"\"}",
		"\"linux\":{\"resources\":{\"unified\":{},\"rdma\":{},\"hugepageLimits\":[],\"network\":{\"classID\":0,"
		"\"priorities\":[]},"
		"\"blockIO\":{\"weight\":0,\"leafWeight\":0,\"weightDevice\":[],\"throttleReadBpsDevice\":[]},\"pids\":"
		"{},\"memory\":{},\"cpu\":{\"cpus\":\"\"}}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		oci_config_free(accept_with(members[i]));
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
		{ "good/freebsd-minimal.json", ERR_UNSUPPORTED, "freebsd: not for Linux" },
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
		cmocka_unit_test(every_kind_of_hook),
		cmocka_unit_test(what_is_empty_or_unknown_is_no_matter),
		cmocka_unit_test(examples),
		cmocka_unit_test(large_example),
		cmocka_unit_test(free_takes_anything),
		cmocka_unit_test(names_go_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
