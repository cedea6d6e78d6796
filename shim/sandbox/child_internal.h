/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that run as the container's process share. */
#ifndef THOLE_SHIM_SANDBOX_CHILD_INTERNAL_H
#define THOLE_SHIM_SANDBOX_CHILD_INTERNAL_H

#include <limits.h>
#include <stdbool.h>

#include "common/err.h"
#include "shim/oci/config.h"
#include "shim/sandbox/child_exec.h"
#include "shim/sandbox/child_init.h"
#include "shim/sandbox/child_step.h"

/* child_rootfs.c: the view of the file system. ret_root_fd: the container's root, still good after the pivot. */
int child_build_rootfs(const struct child_init_params *p, int *ret_root_fd, struct err *err);
int child_enter_rootfs(const struct child_init_params *p, int root_fd, struct err *err);

/* child_process.c: what a process is, whether first or exec'd. */
int child_close_all_but(const int *keep, int n, struct err *err);
int child_reset_signals(struct err *err);
/* Nobody looks into us through /proc, or traces us. */
int child_become_undumpable(struct err *err);
int child_become_root(struct err *err); /* of the user namespace, on the way in */
/* in_user_ns: of one that may deny setgroups(2), as its maker had to. */
int child_become_user(const struct oci_process *process, bool in_user_ns, struct err *err);
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
/* prog->env from process.env: of variables with one name the last counts; HOME, where it is missing or empty, from the passwd below root_fd. */
int child_make_env(const struct oci_process *process, int root_fd, struct child_program *prog, struct err *err);
/* Find args[0] in that environment's PATH, as the user who will run it: ERR_COMMAND_NOT_FOUND or ERR_NOT_EXECUTABLE. */
int child_find_program(const struct oci_process *process, struct child_program *prog, struct err *err);
/* Returns only when it failed. */
int child_execve(const struct oci_process *process, const struct child_program *prog, struct err *err);

/* child_step.c: what the steps hand on to each other, and the steps that init and exec'd processes share. */
struct child {
	const struct child_params *p;
	const struct child_init_params *init; /* NULL: exec'd */
	const struct child_exec_params *exec; /* NULL: init */
	const struct oci_process *process;
	int sync_fd, start_fd;
	int stdio[3];
	int root_fd;
	int master_fd;     /* until it has been sent */
	unsigned int left; /* namespaces that are joined from inside the user namespace: 1 << OCI_NS_x */
	bool filtered;     /* the filter is loaded */
	bool *sysctl_todo; /* see sysctl.h */
	struct child_program prog;
};

struct child_step {
	const char *name;
	int (*run)(struct child *ch, struct err *err);
};

void child_begin(struct child *ch, const struct child_params *p);
void child_run_steps(struct child *ch, const struct child_step *steps, size_t n); /* exits when one fails */

int child_step_let_go(struct child *ch, struct err *err);
int child_step_session(struct child *ch, struct err *err);
int child_step_close_others(struct child *ch, struct err *err);
int child_step_keyring(struct child *ch, struct err *err);
int child_step_terminal(struct child *ch, struct err *err);
int child_step_limits(struct child *ch, struct err *err);
int child_step_user(struct child *ch, struct err *err);
int child_step_find_program(struct child *ch, struct err *err);
int child_step_place_fds(struct child *ch, struct err *err);
int child_step_notify(struct child *ch, struct err *err);

/* `fd` goes beside the word; -1: none. False: the shim is gone. */
bool child_tell(int sync_fd, enum child_word word, const struct err *err, int fd);
/* The same; exits when the shim is gone. */
void child_say(int sync_fd, enum child_word word, const struct err *err, int fd);
void child_fail(int sync_fd, const struct err *err) __attribute__((noreturn));

/* The same of what execve(2) has refused, where that is the program's own end: on its stderr, which is in place by then. Returns where it is not. */
void child_fail_as_program(const struct child *ch, const struct err *err);
char child_await_order(int sync_fd); /* exits when the shim is gone */

/* The filter, the last capabilities, execve. Comes back only when something failed. */
int child_run_program(struct child *ch, struct err *err);

#endif
