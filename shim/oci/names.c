/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the specification and the kernel's numbers for them. */
#include "shim/oci/names.h"

#include <linux/capability.h>
#include <sched.h>
#include <string.h>

#include "common/fd.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define CAP(name) [CAP_##name] = "CAP_" #name

static const char *const capabilities[] = {
	CAP(CHOWN),
	CAP(DAC_OVERRIDE),
	CAP(DAC_READ_SEARCH),
	CAP(FOWNER),
	CAP(FSETID),
	CAP(KILL),
	CAP(SETGID),
	CAP(SETUID),
	CAP(SETPCAP),
	CAP(LINUX_IMMUTABLE),
	CAP(NET_BIND_SERVICE),
	CAP(NET_BROADCAST),
	CAP(NET_ADMIN),
	CAP(NET_RAW),
	CAP(IPC_LOCK),
	CAP(IPC_OWNER),
	CAP(SYS_MODULE),
	CAP(SYS_RAWIO),
	CAP(SYS_CHROOT),
	CAP(SYS_PTRACE),
	CAP(SYS_PACCT),
	CAP(SYS_ADMIN),
	CAP(SYS_BOOT),
	CAP(SYS_NICE),
	CAP(SYS_RESOURCE),
	CAP(SYS_TIME),
	CAP(SYS_TTY_CONFIG),
	CAP(MKNOD),
	CAP(LEASE),
	CAP(AUDIT_WRITE),
	CAP(AUDIT_CONTROL),
	CAP(SETFCAP),
	CAP(MAC_OVERRIDE),
	CAP(MAC_ADMIN),
	CAP(SYSLOG),
	CAP(WAKE_ALARM),
	CAP(BLOCK_SUSPEND),
	CAP(AUDIT_READ),
	CAP(PERFMON),
	CAP(BPF),
	CAP(CHECKPOINT_RESTORE),
};

#define RLIMIT(name) [RLIMIT_##name] = "RLIMIT_" #name

static const char *const rlimits[] = {
	RLIMIT(CPU),      RLIMIT(FSIZE),  RLIMIT(DATA),    RLIMIT(STACK),  RLIMIT(CORE),  RLIMIT(RSS),
	RLIMIT(NPROC),    RLIMIT(NOFILE), RLIMIT(MEMLOCK), RLIMIT(AS),     RLIMIT(LOCKS), RLIMIT(SIGPENDING),
	RLIMIT(MSGQUEUE), RLIMIT(NICE),   RLIMIT(RTPRIO),  RLIMIT(RTTIME),
};

static const struct {
	const char *name;
	const char *proc_name;
	int clone_flag;
} namespaces[OCI_NS_COUNT] = {
	[OCI_NS_USER] = { "user", "user", CLONE_NEWUSER },
	[OCI_NS_IPC] = { "ipc", "ipc", CLONE_NEWIPC },
	[OCI_NS_UTS] = { "uts", "uts", CLONE_NEWUTS },
	[OCI_NS_NETWORK] = { "network", "net", CLONE_NEWNET },
	[OCI_NS_PID] = { "pid", "pid", CLONE_NEWPID },
	[OCI_NS_MOUNT] = { "mount", "mnt", CLONE_NEWNS },
	[OCI_NS_CGROUP] = { "cgroup", "cgroup", CLONE_NEWCGROUP },
	[OCI_NS_TIME] = { "time", "time", CLONE_NEWTIME },
};

static const char *const hooks[OCI_HOOKS] = {
	[OCI_HOOK_PRESTART] = "prestart",
	[OCI_HOOK_CREATE_RUNTIME] = "createRuntime",
	[OCI_HOOK_CREATE_CONTAINER] = "createContainer",
	[OCI_HOOK_START_CONTAINER] = "startContainer",
	[OCI_HOOK_POSTSTART] = "poststart",
	[OCI_HOOK_POSTSTOP] = "poststop",
};

static int find(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (names[i] && !strcmp(names[i], name))
			return (int)i;
	return -1;
}

int oci_capability_number(const char *name)
{
	return find(capabilities, ARRAY_SIZE(capabilities), name);
}

const char *oci_capability_name(int cap)
{
	return cap >= 0 && (size_t)cap < ARRAY_SIZE(capabilities) ? capabilities[cap] : "CAP_?";
}

int oci_rlimit_number(const char *name)
{
	return find(rlimits, ARRAY_SIZE(rlimits), name);
}

const char *oci_rlimit_name(int resource)
{
	return resource >= 0 && (size_t)resource < ARRAY_SIZE(rlimits) ? rlimits[resource] : "RLIMIT_?";
}

enum oci_ns oci_ns_number(const char *name)
{
	enum oci_ns ns = 0;

	while (ns < OCI_NS_COUNT && strcmp(namespaces[ns].name, name) != 0)
		ns++;
	return ns;
}

const char *oci_ns_name(enum oci_ns ns)
{
	return namespaces[ns].name;
}

int oci_ns_clone_flag(enum oci_ns ns)
{
	return namespaces[ns].clone_flag;
}

const char *oci_ns_proc_name(enum oci_ns ns)
{
	return namespaces[ns].proc_name;
}

const char *oci_hook_name(enum oci_hook_kind kind)
{
	return hooks[kind];
}
