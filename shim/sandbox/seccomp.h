/* SPDX-License-Identifier: Apache-2.0 */
/* System call filters: compiled by the shim before the clone, loaded by the container's process. */
#ifndef THOLE_SHIM_SANDBOX_SECCOMP_H
#define THOLE_SHIM_SANDBOX_SECCOMP_H

#include <linux/filter.h>

#include "common/err.h"
#include "shim/oci/config.h"

/* All zero is "no filter". */
struct seccomp_program {
	unsigned short len;         /* instructions */
	struct sock_filter *filter; /* owned */
	unsigned int flags;         /* of seccomp(2) */
	bool notifies;              /* has SCMP_ACT_NOTIFY: loading it gives a descriptor for whoever answers */
};

/* Compile linux.seccomp. ret is filled on success only, and released by the caller; no filter (s->set false) gives an empty one.
 * Names of system calls that libseccomp does not know are skipped with a debug line; anything else that is not known is refused
 * with its field. Writes to no file and needs no privilege.
 *
 * Where the default action is an errno, system calls newer than the profile (their number is above the highest one that the profile
 * names for that architecture) fail with ENOSYS instead: libraries take that, and only that, for "this kernel does not have it" and
 * fall back to an older call. */
int seccomp_compile(const struct oci_seccomp *s, struct seccomp_program *ret, struct err *err);

/* The words that profiles may use, one by one; NULL at the end, "" for a flag that this kernel does not take. */
enum seccomp_list {
	SECCOMP_ACTIONS,
	SECCOMP_OPERATORS,
	SECCOMP_ARCHS,
	SECCOMP_KNOWN_FLAGS,
	SECCOMP_SUPPORTED_FLAGS,
	SECCOMP_LISTS,
};
const char *seccomp_word(enum seccomp_list list, size_t i);

/* Accepts an empty one. */
void seccomp_program_release(struct seccomp_program *p);

/* Load it into the calling process, for good. Needs no_new_privs or CAP_SYS_ADMIN in the process's user namespace. One system call,
 * no memory; an empty program does nothing. ret_listener: the descriptor of one that notifies, close-on-exec, the caller's; else untouched. From then on
 * some calls wait for an answer, never sendmsg(2). */
int child_seccomp_load(const struct seccomp_program *p, int *ret_listener, struct err *err);

#endif
