/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that run as the container's process share. */
#ifndef THOLE_SHIM_SANDBOX_CHILD_INTERNAL_H
#define THOLE_SHIM_SANDBOX_CHILD_INTERNAL_H

#include <limits.h>
#include <stdbool.h>

#include "common/err.h"
#include "shim/oci/config.h"

/* child_rootfs.c: the view of the file system. ret_root_fd: the container's root, still good after the pivot. */
struct child_init_params;
int child_build_rootfs(const struct child_init_params *p, int *ret_root_fd, struct err *err);
int child_enter_rootfs(const struct child_init_params *p, int root_fd, struct err *err);

/* child_process.c: what a process is, whether first or exec'd. */
int child_close_all_but(const int *keep, int n, struct err *err);
int child_reset_signals(struct err *err);
int child_become_user(const struct oci_process *process, struct err *err);
int child_enter_cwd(const struct oci_process *process, bool as_user, struct err *err);
/* Put stdio onto 0 to 2 and the preserved ones onto 3 and up; everything else is closed by execve. */
int child_place_fds(const int stdio[3], const int *preserved, int n_preserved, struct err *err);
/* A copy of the descriptor that is out of the way of child_place_fds; the old one is closed. -1 stays -1. */
int child_move_fd_up(int *fd, int n_preserved, struct err *err);

/* child_program.c: the program itself. */
struct child_program {
	char path[PATH_MAX];
	char **env; /* with HOME; built once, before the user changes */
};
/* Find args[0] as the user who will run it: ERR_COMMAND_NOT_FOUND or ERR_NOT_EXECUTABLE. */
int child_find_program(const struct oci_process *process, struct child_program *prog, struct err *err);
int child_make_env(const struct oci_process *process, int root_fd, struct child_program *prog, struct err *err);
/* Returns only when it failed. */
int child_exec(const struct oci_process *process, const struct child_program *prog, struct err *err);

#endif
