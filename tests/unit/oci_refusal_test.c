/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused of config.json, field by field, and with which words. */
#include "tests/unit/oci.h"

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

static const struct refusal wrong[] = {
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
	{ P "\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_fly\"]}}",
	  "process.capabilities.bounding[1]: unknown capability 'CAP_fly'" },
	{ P "\"capabilities\":{\"inheritable\":[\"CAP_\"]}}",
	  "process.capabilities.inheritable[0]: unknown capability 'CAP_'" },
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
	{ "\"mounts\":[{\"destination\":\"/a\",\"options\":[\"ro\",1]}]", "mounts[0].options[1]: must be a string" },
	{ L "\"x\":0},\"mounts\":[{\"destination\":\"/a\",\"source\":\"/"
	    "b\",\"options\":[\"bind\",\"ro\",\"size=1m\"]}]",
	  "mounts[0].options: 'size=1m' is for a file system, and a bind mount shows one that is mounted "
	  "already" },
	{ L "\"x\":0},\"mounts\":[{\"destination\":\"/a\",\"options\":[\"bind\"]}]", "mounts[0].source: is missing" },
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
	{ "\"linux\":{\"namespaces\":[{\"type\":\"net\"}]}", "linux.namespaces[0].type: unknown namespace 'net'" },
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
	  "x\",\"type\":\"c\",\"major\":1,\"minor\":3}]}",
	  "linux.devices[1].path: '/dev/x' is listed twice, as different devices" },
	{ "\"linux\":{\"devices\":[{\"path\":\"/dev/null\",\"type\":\"c\",\"major\":1,\"minor\":5}]}",
	  "linux.devices[0]: '/dev/null' has to be the null device, character device 1:3" },
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
	{ R "\"memory\":{\"swappiness\":101}}}", "linux.resources.memory.swappiness: must be between 0 and 100" },
	{ R "\"cpu\":{\"shares\":1}}}", "linux.resources.cpu.shares: must be between 2 and 262144" },
	{ R "\"cpu\":{\"shares\":262145}}}", "linux.resources.cpu.shares: must be between 2 and 262144" },
	{ R "\"cpu\":{\"shares\":-1}}}", "linux.resources.cpu.shares: must be between 0 and 18446744073709551615" },
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

static void wrong_values(void **state)
{
	refuse_rows(wrong, ARRAY_SIZE(wrong), ERR_CONFIG);
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
		{ P "\"scheduler\":{}}", "process.scheduler.policy: is missing" },
		{ P "\"scheduler\":{\"nice\":1}}", "process.scheduler.policy: is missing" },
		{ P "\"ioPriority\":{}}", "process.ioPriority.class: is missing" },
		{ "\"linux\":{\"memoryPolicy\":{}}", "linux.memoryPolicy.mode: is missing" },
		{ "\"linux\":{\"personality\":{}}", "linux.personality.domain: is missing" },
		{ "\"linux\":{\"timeOffsets\":{\"realtime\":{\"secs\":1}}}",
		  "linux.timeOffsets.realtime: must be of 'monotonic' or 'boottime'" },
		{ "\"linux\":{\"devices\":[{\"path\":\"/\",\"type\":\"c\",\"major\":1,\"minor\":3}]}",
		  "linux.devices[0].path: must be a file in a directory" },
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
/* covers: process.commandLine, process.user.username, linux.personality.flags, {windows,solaris,vm,zos,freebsd} */
static void not_done_is_refused_by_name(void **state)
{
	static const char *const fields[][2] = {
		{ "\"linux\":{\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"x\"]}}", "linux.personality.flags" },
	};
	static const char *const platforms[] = { "windows", "solaris", "vm", "zos", "freebsd" };
	static const struct refusal rows[] = {
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

/* covers: ociVersion */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sysctls),    cmocka_unit_test(wrong_values),
		cmocka_unit_test(scheduling), cmocka_unit_test(not_done_is_refused_by_name),
		cmocka_unit_test(versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
