/* SPDX-License-Identifier: Apache-2.0 */
/* The exec'd processes that a checkpoint takes along: by which names they are known, where they are found again, and what their streams are. */
#ifndef THOLE_SHIM_CHECKPOINT_EXECS_H
#define THOLE_SHIM_CHECKPOINT_EXECS_H

#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"
#include "shim/checkpoint/descriptors.h"

#define EXECS_FILE "thole-execs.json"
#define EXECS_MAX 8
#define EXECS_NAME_MAX 11 /* a decimal number of 32 bits */

struct checkpoint_exec {
	char name[EXECS_NAME_MAX];
	pid_t pid; /* as the container counts */
	struct descriptors streams;
};

/* Write them below dir_fd; no file when there are none. */
int execs_write(int dir_fd, const struct checkpoint_exec *v, size_t n, struct err *err);

/* Read them from there; none is no error. ERR_CONFIG: the file is damaged. */
int execs_read(int dir_fd, struct checkpoint_exec ret[EXECS_MAX], size_t *ret_n, struct err *err);

#endif
