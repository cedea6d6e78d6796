/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that go into a file or come out of one, compressed (zstd) or not. */
#ifndef THOLE_CLIENT_ZSTREAM_H
#define THOLE_CLIENT_ZSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

/* One direction, one file. The descriptor is borrowed. */
struct zstream;

/* For writing. */
struct zstream *zstream_writer(int fd, bool compress);
int zstream_write(struct zstream *z, const void *data, size_t len, struct err *err);
int zstream_end(struct zstream *z, struct err *err); /* write what is left: without it the file is cut off */

/* For reading: whether it is compressed is seen by its first bytes. Its buffers are taken here; the window of what is compressed when its header is read. */
struct zstream *zstream_reader(int fd);

/* As fd_read_full(). ERR_CONFIG: it is compressed, and damaged. */
ssize_t zstream_read(struct zstream *z, void *buf, size_t len, struct err *err);

void zstream_free(struct zstream *z); /* accepts NULL */

#endif
