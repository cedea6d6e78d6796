/* SPDX-License-Identifier: Apache-2.0 */
/* What has been read from a container and may not be in its logs yet, in a file of the state directory: a shim that is killed in between loses nothing, and repeats nothing.
 *
 * Everything is read into a mapping of that file, which outlives the process. Beside the bytes stands how far it has come with them, and where each log ended before they were
 * written to it: whoever goes on cuts off what is there of them and writes them again. */
#ifndef THOLE_SHIM_STDIO_UNLOGGED_H
#define THOLE_SHIM_STDIO_UNLOGGED_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/control.pb.h" /* enum Stream */
#include "shim/stdio/log.h"

#define UNLOGGED_FILE "unlogged"

struct unlogged;

/* dir_fd is borrowed. The file is made when it is needed. */
struct unlogged *unlogged_new(int dir_fd);
void unlogged_free(struct unlogged *u); /* accepts NULL */

/* A buffer of RELAY_READ_BYTES for the next read of this stream, which goes to `logs`. NULL: there is no room on the disk, any other buffer will do. */
char *unlogged_begin(struct unlogged *u, struct logs *logs, Stream stream);

/* Is the file there already? To make it costs some 100 us, which a process that says nothing need not pay. */
bool unlogged_is_made(const struct unlogged *u);

/* What came of it: `n` bytes, 0 for none, on their way to the logs. */
void unlogged_got(struct unlogged *u, size_t n);

/* They are in the logs, or counted as lost. */
void unlogged_done(struct unlogged *u, struct logs *logs);

/* Give everything back while nothing moves. */
void unlogged_trim(struct unlogged *u);

/* Write what a shim that was killed has left to the logs that do not have it. Damaged or missing: nothing is done. */
void unlogged_replay(int dir_fd, struct logs *logs);

#endif
