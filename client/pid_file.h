/* SPDX-License-Identifier: Apache-2.0 */
/* --pid-file: a pid where other programs look for it. */
#ifndef THOLE_CLIENT_PID_FILE_H
#define THOLE_CLIENT_PID_FILE_H

#include <stdint.h>

#include "common/err.h"

/* Can `path` be one? To be asked before there is a process. ERR_USAGE; nothing to judge when it is NULL. */
int pid_file_check(const char *path, struct err *err);

/* Write the number, without a newline, as the file `path`: whole or not at all. Nothing to do when path is NULL. */
int pid_file_write(const char *path, uint32_t pid, struct err *err);

#endif
