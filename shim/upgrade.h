/* SPDX-License-Identifier: Apache-2.0 */
/* One program of a shim after the other, in the same process: see "Upgrade" in PROTOCOL.md. */
#ifndef THOLE_SHIM_UPGRADE_H
#define THOLE_SHIM_UPGRADE_H

#include "common/err.h"
#include "shim/control/server.h"
#include "shim/shim.h"

/* Execute u->exe_fd with the state and the descriptors in it. Returns only on failure, with everything as it was. */
int upgrade_execute(const struct shim *shim, const struct server_upgrade *u, struct err *err);

/* From here to upgrade_over() a crash (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT) is one more reason to go back. Does nothing when there is no program to go back to. */
int upgrade_guard(struct shim *shim, struct err *err);

/* Read and judge the state that we are executed with (shim->state_fd): into shim->saved, and root_fd from there. */
int upgrade_read(struct shim *shim, struct err *err);

/* We have what the other program had: nothing leads back. Who has asked for it is answered. */
void upgrade_over(struct shim *shim);

/* We cannot go on: execute the program that was there before, which has all that it had. Returns only when there is none, or when we are that one. */
void upgrade_go_back(const struct shim *shim, const struct err *why);

/* --check-state: could we go on with the state that shim->state_fd is a copy of? Says so on stdout; returns the exit status. Changes nothing. */
int upgrade_check(struct shim *shim);

#endif
