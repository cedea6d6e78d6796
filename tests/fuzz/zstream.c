/* SPDX-License-Identifier: Apache-2.0 */
/* Files that may be compressed: whatever an archive's bytes are, reading comes to an end and says why; and what is written is read again. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/zstream.h"
#include "common/fd.h"

#define READ_MAX (1 << 20) /* of what comes out: a bomb is no finding */

static int file_of(const void *data, size_t len)
{
	struct err err;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0 && fd_write_all(fd, data, len, &err) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

/* In pieces as the input says. Returns how much came, -1 on failure. */
static ssize_t read_all(int fd, const uint8_t *cuts, size_t n_cuts, char *out, size_t max)
{
	struct zstream *z = zstream_reader(fd);
	size_t have = 0, i = 0;
	struct err err = { 0 };
	ssize_t n = 1;

	while (n > 0 && have < max) {
		size_t want = n_cuts ? 1 + (size_t)cuts[i++ % n_cuts] * 64 : 4096;

		n = zstream_read(z, out + have, want < max - have ? want : max - have, &err);
		if (n < 0)
			fuzz_check_err(&err);
		else
			have += (size_t)n;
	}
	zstream_free(z);
	return n < 0 ? -1 : (ssize_t)have;
}

static void there_and_back(const uint8_t *data, size_t len, bool compress, char *out)
{
	int fd = file_of("", 0);
	struct zstream *z = zstream_writer(fd, compress);
	struct err err;

	/* What is not compressed and looks as if it were is not what is written here. */
	if (!compress && len >= 4 && !memcmp(data, "\x28\xb5\x2f\xfd", 4))
		len = 0;
	FUZZ_CHECK(zstream_write(z, data, len / 2, &err) == 0);
	FUZZ_CHECK(zstream_write(z, data + len / 2, len - len / 2, &err) == 0 && zstream_end(z, &err) == 0);
	zstream_free(z);
	FUZZ_CHECK(lseek(fd, 0, SEEK_SET) == 0);
	FUZZ_CHECK(read_all(fd, data, len, out, READ_MAX) == (ssize_t)len);
	FUZZ_CHECK(memcmp(out, data, len) == 0);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint8_t how = fuzz_byte(&in);
	size_t n_cuts, len;
	const uint8_t *cuts = fuzz_bytes(&in, how % 8, &n_cuts), *rest = fuzz_bytes(&in, in.left, &len);
	char *out = malloc(READ_MAX);
	int fds = fuzz_open_fds(), fd;

	FUZZ_CHECK(out);
	fd = file_of(rest, len);
	read_all(fd, cuts, n_cuts, out, READ_MAX);
	close(fd);
	if (how & 8)
		there_and_back(rest, len, how & 16, out);
	FUZZ_CHECK(fuzz_open_fds() == fds);
	free(out);
	return 0;
}
