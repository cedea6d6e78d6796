/* SPDX-License-Identifier: Apache-2.0 */
/* What an image of a set says of itself, and an archive that one comes in. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tar.h"
#include "common/fd.h"
#include "common/manifest.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define BEGINNING "{\"sha256\":\""

static void judge(const char *text)
{
	struct manifest m, again;
	struct err err = { 0 };
	char *written;

	if (manifest_parse(text, &m, &err) < 0) {
		fuzz_check_err(&err);
		manifest_release(&m);
		return;
	}
	for (size_t i = 0; i < m.n_files; i++)
		FUZZ_CHECK(manifest_is_path(m.files[i].name) && m.files[i].name[0] != '/' &&
			   !strstr(m.files[i].name, "/."));
	written = manifest_text(&m);
	FUZZ_CHECK(manifest_parse(written, &again, &err) == 0);
	FUZZ_CHECK(again.n_pre_dumps == m.n_pre_dumps && m.n_pre_dumps <= MANIFEST_PARENTS_MAX);
	FUZZ_CHECK(again.n_files == m.n_files && again.n_open == m.n_open && again.size == m.size);
	FUZZ_CHECK(!strcmp(again.id, m.id) && !strcmp(again.rootfs, m.rootfs) && again.created_ns == m.created_ns);
	free(written);
	manifest_release(&m);
	manifest_release(&again);
}

/* The same with the digest that it should have: else nothing would ever come further. */
static void judge_signed(const char *rest)
{
	cleanup_free char *text = xasprintf(BEGINNING ZEROS "\",%s", rest);
	char digest[SHA256_TEXT_SIZE];

	sha256_text(text, strlen(text), digest);
	memcpy(text + strlen(BEGINNING), digest, SHA256_TEXT_SIZE - 1);
	judge(text);
}

static void member(struct fuzz_input *in)
{
	uint8_t block[TAR_BLOCK] = { 0 };
	struct tar_member m, again;
	struct err err = { 0 };
	size_t n;
	const uint8_t *data = fuzz_bytes(in, sizeof(block), &n);
	unsigned int sum = 0;
	int r;

	memcpy(block, data, n);
	/* The sum that it should have, too. */
	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < sizeof(block); i++)
		sum += block[i];
	snprintf((char *)block + 148, 8, "%06o", sum & 0777777u);
	r = tar_decode(block, &m, &err);
	if (r < 0)
		fuzz_check_err(&err);
	if (r <= 0)
		return;
	FUZZ_CHECK(manifest_is_path(m.name) && m.size <= INT64_MAX);
	FUZZ_CHECK(tar_encode(&m, 0, block, &err) == 0);
	FUZZ_CHECK(tar_decode(block, &again, &err) == 1 && !strcmp(again.name, m.name) && again.size == m.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint8_t kind = fuzz_byte(&in);
	cleanup_free char *text = NULL;

	if (kind % 3 == 0) {
		member(&in);
		return 0;
	}
	text = fuzz_string(&in);
	if (kind % 3 == 1)
		judge(text);
	else
		judge_signed(text);
	return 0;
}
