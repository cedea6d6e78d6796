/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors of a container that lead outside: what CRIU knows them by, and that none is forgotten. */
#ifndef THOLE_SHIM_CHECKPOINT_DESCRIPTORS_H
#define THOLE_SHIM_CHECKPOINT_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

#define DESCRIPTORS_FILE "descriptors.json" /* as runc has it: a list of three keys */
#define DESCRIPTORS_KEY_MAX 64

/* stdin, stdout, stderr: "pipe:[INODE]", or something that is no pipe. */
struct descriptors {
	char key[3][DESCRIPTORS_KEY_MAX];
};

bool descriptors_is_pipe(const char *key);
bool descriptors_is_tty(const char *key); /* one of the host's: "tty[RDEV:DEV]" */

/* The terminal of the host's at `path`, as CRIU knows it. False: it is none. */
bool descriptors_tty_key(const char *path, char ret[DESCRIPTORS_KEY_MAX]);

/* Write it below dir_fd (0600), read it from there. ERR_NOT_FOUND: there is none; ERR_CONFIG: it is damaged. */
int descriptors_write(int dir_fd, const struct descriptors *d, struct err *err);
int descriptors_read(int dir_fd, struct descriptors *ret, struct err *err);

/* Look through the descriptors of these processes: a pipe whose other end is with somebody else, and which is none of the n_d maps', would come back dead. ERR_UNSUPPORTED
 * names the first. */
int descriptors_check(const struct descriptors *d, size_t n_d, const pid_t *pids, size_t n, struct err *err);

#endif
