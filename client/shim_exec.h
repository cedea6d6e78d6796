/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a shim: from a sealed file, in a session of its own, with nothing of ours open but its socket and its log. */
#ifndef THOLE_CLIENT_SHIM_EXEC_H
#define THOLE_CLIENT_SHIM_EXEC_H

#include <sys/types.h>

#include "client/client.h"

enum shim_mode { SHIM_LAUNCH, SHIM_SERVE, SHIM_EXEC, SHIM_ADOPT, SHIM_UNDO };

struct shim_start {
	enum shim_mode mode;
	bool brief;        /* it soon leaves, and that will be waited for: then it is executed from sealed_exe_copy() */
	bool orphan;       /* it is not to be our child but that of whoever takes over orphans; ret_pid is 0 then */
	const char *group; /* of cgroup v2, that it is to be in if possible; NULL: ours. It makes sure of that itself */
};

/* Start `thole-shim` for container `id` as PROTOCOL.md, "How a shim is started", says. The program is $THOLE_SHIM, else
 * beside our own executable, else in ../libexec/thole/. `sock`: its end of its control socket; the caller's, who closes it then. ret_pid: our
 * child, whom nobody need wait for. Returns once the program is executed. ERR_NOT_FOUND when there is no such program. */
int shim_exec(const struct client *cl, const struct shim_start *how, const char *id, int sock, pid_t *ret_pid,
	      struct err *err);

/* A shim's program, sealed, with what belongs to it. */
struct shim_program {
	int exe_fd;
	int seal_fd;   /* as sealed_exe_open() has it */
	int keeper_fd; /* thole-keeper beside it; -1: there is none */
};

/* `path`: as the user has given it, relative to the current directory; NULL: the one that shim_exec() starts. */
int shim_program_open(const char *path, struct shim_program *ret, struct err *err);
void shim_program_release(struct shim_program *p);

/* Execute `thole-shim OPTION` in our place. Returns only when that failed. */
int shim_become(const char *option, struct err *err);

#endif
