/* SPDX-License-Identifier: Apache-2.0 */
/* What has been read from a process and may not be in its logs yet, nor with the client that follows it in the foreground, in a file of the state directory: a shim that is killed in
 * between loses nothing, and repeats nothing.
 *
 * Everything is read into a mapping of that file, which outlives the process: each stream into a buffer of its own, which is not used again before everybody has what is in it. Beside the
 * bytes stands how far they have come, and where each log ended before they were written to it: whoever goes on cuts off what is there of them and writes them again. */
#ifndef THOLE_SHIM_STDIO_UNLOGGED_H
#define THOLE_SHIM_STDIO_UNLOGGED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/control.pb.h" /* enum Stream */
#include "shim/stdio/log.h"

#define UNLOGGED_FILE "unlogged"

struct unlogged;

/* dir_fd is borrowed. `process`: the name of one that was exec'd, "" for init. The file is made when it is needed. */
struct unlogged *unlogged_new(int dir_fd, const char *process);
void unlogged_free(struct unlogged *u); /* accepts NULL; the file stays */

/* A buffer of `size` bytes (at most RELAY_READ_BYTES) for the next read of this stream, which goes to `logs` (NULL: none). `from`: the offset in the stream of what is to come. `there`:
 * so much is known to be there, and the read will ask for exactly that; otherwise a large buffer takes longer. NULL: there is no room on the disk, any other buffer will do. */
char *unlogged_begin(struct unlogged *u, struct logs *logs, Stream stream, uint64_t from, size_t size, bool there);

/* What came of it: `n` bytes, 0 for none, on their way to the logs. */
void unlogged_got(struct unlogged *u, size_t n);

/* They are in the logs, or counted as lost. */
void unlogged_done(struct unlogged *u, struct logs *logs);

/* Give everything back, the file too: nothing moves, and nobody waits for any of it. */
void unlogged_trim(struct unlogged *u);

/* The last bytes that a shim that was killed has read of a stream, from this offset on; len 0: none that somebody could lack. The caller releases it. */
struct unlogged_rest {
	uint64_t from;
	size_t len;
	char *data;
};
void unlogged_rest_release(struct unlogged_rest *r);

/* Write what it has left to the logs (may be NULL) that do not have it. ret_rest (NULL: not wanted): stdout's, stderr's, untouched where there is none. The file goes, unless there is a rest: then
 * it stays for whoever follows us, until unlogged_trim() of one that is made afterwards. Damaged or missing: nothing is done. */
void unlogged_replay(int dir_fd, const char *process, struct logs *logs, struct unlogged_rest ret_rest[2]);

/* Of a process that nobody reads any more: the file goes. */
void unlogged_drop(int dir_fd, const char *process);

#endif
