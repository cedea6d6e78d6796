/* SPDX-License-Identifier: Apache-2.0 */
/* The session keyring of a container: one for all its processes, none of which sees that of whoever runs us.
 *
 * Runs as the container's process before its execve, and as the process that becomes criu, from which those that are restored have it. It is found by its name, in a list that each user
 * namespace has of its own. */
#include "shim/sandbox/keyring.h"

#include <linux/keyctl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/proc.h"
#include "shim/sandbox/lsm.h"

/* All for who possesses it; its owner may see, read, link and search it: by its name it is found only by who may search. Uid 0 of a user namespace owns only what is made in it. */
#define PERMISSIONS 0x3f1b0000u
#define OTHERS_SEARCH 0x8u

static int join(const struct keyring *k, struct err *err)
{
	char name[300];
	long serial;

	snprintf(name, sizeof(name), "_ses.%s", k->id);
	serial = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0);
	if (serial < 0)
		return errno == ENOSYS ? 0
				       : err_sys(err, "cannot make a session keyring (--no-new-keyring does without)");
	if (syscall(SYS_keyctl, KEYCTL_SETPERM, serial, PERMISSIONS | (k->others_search ? OTHERS_SEARCH : 0), 0, 0) <
		    0 &&
	    errno != EACCES)
		return err_sys(err, "cannot let the session keyring be found");
	return 0;
}

/* In the host's list of names there may be one of another container of that name, which is nobody's to give away. So a process makes it that is in a user namespace of its own, whose list is
 * empty, and hands it to us. */
static void make_for_parent(const struct keyring *k) __attribute__((noreturn));
static void make_for_parent(const struct keyring *k)
{
	struct err ignored;

	_exit(unshare(CLONE_NEWUSER) == 0 && join(k, &ignored) == 0 &&
			      syscall(SYS_keyctl, KEYCTL_SESSION_TO_PARENT, 0, 0, 0, 0) == 0
		      ? 0
		      : 1);
}

static int join_given(const struct keyring *k, struct err *err)
{
	pid_t child;

	/* The kernel hands nothing to one whose own is another user's. */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0) < 0)
		return errno == ENOSYS ? 0
				       : err_sys(err, "cannot make a session keyring (--no-new-keyring does without)");
	child = fork();
	if (child == 0)
		make_for_parent(k);
	if (child < 0)
		return err_sys(err, "cannot fork");
	if (proc_wait(child) != 0)
		return err_set(err, ERR_SYS, "cannot make a session keyring (--no-new-keyring does without)");
	if (syscall(SYS_keyctl, KEYCTL_CHOWN, KEY_SPEC_SESSION_KEYRING, k->uid, k->gid, 0) < 0)
		return err_sys(err, "cannot give away the session keyring (--no-new-keyring does without)");
	return 0;
}

int child_keyring_join(const struct keyring *k, struct err *err)
{
	if (k->process && child_lsm_label_keyring(k->process, err) < 0)
		return -1;
	return k->given ? join_given(k, err) : join(k, err);
}
