/* SPDX-License-Identifier: Apache-2.0 */
/* --pid-file: a pid where other programs look for it. */
#ifndef THOLE_CLIENT_PID_FILE_H
#define THOLE_CLIENT_PID_FILE_H

#include <stdint.h>

#include "common/err.h"

/* Write the number, without a newline, as the file `path`: whole or not at all. Nothing to do when path is NULL. */
int pid_file_write(const char *path, uint32_t pid, struct err *err);

#endif
