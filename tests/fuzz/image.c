/* SPDX-License-Identifier: Apache-2.0 */
/* What lies beside criu's own files in an image, and what is asked of criu: the keys of the streams, its log, the options. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/checkpoint/descriptors.h"
#include "shim/checkpoint/image.h"
#include "shim/checkpoint/options.h"

static void keys(const uint8_t *data, size_t len)
{
	struct descriptors d, again;
	struct err err = { 0 };

	fuzz_write(DESCRIPTORS_FILE, data, len);
	if (descriptors_read(fuzz_dir_fd(), &d, &err) < 0) {
		fuzz_check_err(&err);
		return;
	}
	FUZZ_CHECK(descriptors_write(fuzz_dir_fd(), &d, &err) == 0);
	FUZZ_CHECK(descriptors_read(fuzz_dir_fd(), &again, &err) == 0);
	for (int i = 0; i < 3; i++)
		FUZZ_CHECK(!strcmp(d.key[i], again.key[i]));
}

static void log_of_criu(const uint8_t *data, size_t len)
{
	struct err err;

	err_set(&err, ERR_GONE, "criu has failed");
	fuzz_write("dump.log", data, len);
	image_explain(fuzz_dir_fd(), "dump.log", &err);
	fuzz_check_err(&err);
	FUZZ_CHECK(!strncmp(err.text, "criu has failed", 15));
}

static void options(const uint8_t *data, size_t len)
{
	struct checkpoint_options o;
	struct err err = { 0 };

	if (checkpoint_options_parse((const char *)data, len, &o, &err) < 0)
		fuzz_check_err(&err);
	else
		FUZZ_CHECK(o.criu && o.criu[0] == '/');
	checkpoint_options_release(&o);
}

/* Which it is, then the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint8_t kind = fuzz_byte(&in);
	int fds;

	fuzz_dir_fd();
	fds = fuzz_open_fds();
	if (kind % 4 == 0)
		keys(in.p, in.left);
	else if (kind % 4 == 1)
		log_of_criu(in.p, in.left);
	else
		options(in.p, in.left);
	FUZZ_CHECK(fuzz_open_fds() == fds);
	return 0;
}
