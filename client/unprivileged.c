/* SPDX-License-Identifier: Apache-2.0 */
/* A child that reads what a stranger may have written. */
#include "client/unprivileged.h"

#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOBODY 65534

int unprivileged_become(pid_t parent, uint64_t memory, struct err *err)
{
	const struct rlimit none = { 0, 0 }, some = { memory, memory };

	if (geteuid() == 0 &&
	    (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
		return err_sys(err, "cannot give up privileges");
	/* Last of the two: a change of who it is takes the signal back (prctl(2)). */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_NOFILE, &none) < 0 ||
	    setrlimit(RLIMIT_FSIZE, &none) < 0 || setrlimit(RLIMIT_NPROC, &none) < 0 ||
	    (memory && setrlimit(RLIMIT_AS, &some) < 0))
		return err_sys(err, "cannot give up privileges");
	return 0;
}
