/* SPDX-License-Identifier: Apache-2.0 */
/* A log that is a file: k8s-file, json-file and raw. Made and written through log.h; this is what clients are told of it. */
#ifndef THOLE_SHIM_STDIO_LOGFILE_H
#define THOLE_SHIM_STDIO_LOGFILE_H

#include <stdint.h>

#include "common/err.h"

struct logfile;

/* A new descriptor of the present file, read-only: for a client that reads what it has missed. */
int logfile_reader(const struct logfile *lf, int *ret_fd, struct err *err);

/* Of the present file. */
uint64_t logfile_size(const struct logfile *lf);
uint64_t logfile_inode(const struct logfile *lf);

#endif
