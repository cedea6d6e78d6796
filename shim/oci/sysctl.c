/* SPDX-License-Identifier: Apache-2.0 */
/* Which sysctls a container may have of its own.
 *
 * A list of what is known to belong to a namespace, not of what does not: the kernel has hundreds that reach the whole system, and gets new
 * ones. */
#include "shim/oci/sysctl.h"

#include <string.h>

#include "common/fd.h"

/* A path that ends in '/' stands for everything below it. */
static const struct {
	const char *path;
	enum oci_ns ns;
} known[] = {
	{ "net/", OCI_NS_NETWORK },
	{ "fs/mqueue/", OCI_NS_IPC },
	{ "kernel/msgmax", OCI_NS_IPC },
	{ "kernel/msgmnb", OCI_NS_IPC },
	{ "kernel/msgmni", OCI_NS_IPC },
	{ "kernel/msg_next_id", OCI_NS_IPC },
	{ "kernel/sem", OCI_NS_IPC },
	{ "kernel/sem_next_id", OCI_NS_IPC },
	{ "kernel/shmall", OCI_NS_IPC },
	{ "kernel/shmmax", OCI_NS_IPC },
	{ "kernel/shmmni", OCI_NS_IPC },
	{ "kernel/shm_next_id", OCI_NS_IPC },
	{ "kernel/shm_rmid_forced", OCI_NS_IPC },
	{ "kernel/domainname", OCI_NS_UTS },
	{ "user/", OCI_NS_USER },
};

static bool is_plain_name(const char *name, size_t n)
{
	return n > 0 && strncmp(name, ".", n) != 0 && (n != 2 || strncmp(name, "..", 2) != 0);
}

int oci_sysctl_path(const char *key, char ret[OCI_SYSCTL_PATH_MAX], struct err *err)
{
	char separator = key[strcspn(key, "./")];
	size_t n = strlen(key);

	if (n >= OCI_SYSCTL_PATH_MAX)
		return err_set(err, ERR_CONFIG, "the name is too long");
	for (size_t i = 0; i <= n; i++)
		ret[i] = key[i] == separator ? '/' : separator == '.' && key[i] == '/' ? '.' : key[i];
	ret[n] = '\0';
	for (const char *p = ret;; p++) {
		size_t len = strcspn(p, "/");

		if (!is_plain_name(p, len))
			return err_set(err, ERR_CONFIG, "this is no name of a sysctl");
		p += len;
		if (!*p)
			break;
	}
	return 0;
}

enum oci_ns oci_sysctl_ns(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		size_t n = strlen(known[i].path);

		if (known[i].path[n - 1] == '/' ? !strncmp(path, known[i].path, n) : !strcmp(path, known[i].path))
			return known[i].ns;
	}
	return OCI_NS_COUNT;
}
