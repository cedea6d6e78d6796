/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that go into a file or come out of one, compressed (zstd) or not.
 *
 * Reading runs in a process without privileges, on what anybody may have written. */
#include "client/zstream.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "common/fd.h"

#define BUFFER_BYTES (128 << 10)
#define WINDOW_LOG_MAX 27 /* 128 MiB: what zstd itself takes unless told otherwise */

struct zstream {
	int fd;
	ZSTD_CCtx *out; /* NULL: not compressed */
	ZSTD_DCtx *in;  /* the same */
	bool decided;   /* of a reader: it is known what comes */
	bool within;    /* a frame has begun and not ended */
	size_t at, n;   /* of what has been read and not used */
	char buf[BUFFER_BYTES];
};

static struct zstream *zstream_new(int fd)
{
	struct zstream *z = xcalloc(1, sizeof(*z));

	z->fd = fd;
	return z;
}

void zstream_free(struct zstream *z)
{
	if (!z)
		return;
	ZSTD_freeCCtx(z->out);
	ZSTD_freeDCtx(z->in);
	free(z);
}

/* ---- writing --------------------------------------------------------------------------------------------------------------- */

struct zstream *zstream_writer(int fd, bool compress)
{
	struct zstream *z = zstream_new(fd);

	if (!compress)
		return z;
	z->out = ZSTD_createCCtx();
	if (!z->out)
		fatal("out of memory");
	ZSTD_CCtx_setParameter(z->out, ZSTD_c_checksumFlag, 1);
	return z;
}

static int compress(struct zstream *z, ZSTD_inBuffer *in, ZSTD_EndDirective how, struct err *err)
{
	size_t left;

	do {
		ZSTD_outBuffer out = { z->buf, sizeof(z->buf), 0 };

		left = ZSTD_compressStream2(z->out, &out, in, how);
		if (ZSTD_isError(left))
			return err_set(err, ERR_INTERNAL, "cannot compress: %s", ZSTD_getErrorName(left));
		if (fd_write_all(z->fd, z->buf, out.pos, err) < 0)
			return -1;
	} while (how == ZSTD_e_end ? left > 0 : in->pos < in->size);
	return 0;
}

int zstream_write(struct zstream *z, const void *data, size_t len, struct err *err)
{
	ZSTD_inBuffer in = { data, len, 0 };

	return z->out ? compress(z, &in, ZSTD_e_continue, err) : fd_write_all(z->fd, data, len, err);
}

int zstream_end(struct zstream *z, struct err *err)
{
	ZSTD_inBuffer in = { NULL, 0, 0 };

	return z->out ? compress(z, &in, ZSTD_e_end, err) : 0;
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

struct zstream *zstream_reader(int fd)
{
	struct zstream *z = zstream_new(fd);

	z->in = ZSTD_createDCtx();
	if (!z->in)
		fatal("out of memory");
	ZSTD_DCtx_setParameter(z->in, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	return z;
}

/* Returns 0 at the end of the file. */
static ssize_t fill(struct zstream *z, size_t want, struct err *err)
{
	ssize_t n = fd_read_full(z->fd, z->buf, want, err);

	z->at = 0;
	z->n = n > 0 ? (size_t)n : 0;
	return n;
}

static int decide(struct zstream *z, struct err *err)
{
	static const unsigned char magic[] = { 0x28, 0xb5, 0x2f, 0xfd };

	if (z->decided)
		return 0;
	if (fill(z, sizeof(magic), err) < 0)
		return -1;
	z->decided = true;
	if (z->n < sizeof(magic) || memcmp(z->buf, magic, sizeof(magic)) != 0) {
		ZSTD_freeDCtx(z->in);
		z->in = NULL;
	}
	return 0;
}

static ssize_t read_plain(struct zstream *z, char *buf, size_t len, struct err *err)
{
	size_t first = z->n - z->at < len ? z->n - z->at : len;
	ssize_t n;

	memcpy(buf, z->buf + z->at, first);
	z->at += first;
	n = fd_read_full(z->fd, buf + first, len - first, err);
	return n < 0 ? -1 : (ssize_t)first + n;
}

static ssize_t read_compressed(struct zstream *z, char *buf, size_t len, struct err *err)
{
	ZSTD_outBuffer out = { buf, len, 0 };

	while (out.pos < out.size) {
		ZSTD_inBuffer in = { z->buf, z->n, z->at };
		size_t before = out.pos, at = z->at, r;

		r = ZSTD_decompressStream(z->in, &out, &in);
		if (ZSTD_isError(r))
			return err_set(err, ERR_CONFIG, "it is damaged: %s", ZSTD_getErrorName(r));
		z->at = in.pos;
		/* After a whole frame nothing more to read asks for the next one, which need not come. */
		if (out.pos > before || in.pos > at)
			z->within = r != 0;
		if (z->at < z->n || out.pos > before)
			continue;
		if (fill(z, sizeof(z->buf), err) < 0)
			return -1;
		if (z->n == 0)
			return z->within ? err_set(err, ERR_CONFIG, "it ends too early") : (ssize_t)out.pos;
	}
	return (ssize_t)out.pos;
}

ssize_t zstream_read(struct zstream *z, void *buf, size_t len, struct err *err)
{
	if (decide(z, err) < 0)
		return -1;
	return z->in ? read_compressed(z, buf, len, err) : read_plain(z, buf, len, err);
}
