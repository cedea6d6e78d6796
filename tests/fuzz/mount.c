/* SPDX-License-Identifier: Apache-2.0 */
/* Mount options: whatever the words and their order, nothing is both set and cleared, and nothing is forgotten. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "common/fd.h"
#include "shim/oci/names.h"

static bool is_known(const char *word)
{
	const char *name;

	for (size_t i = 0; (name = oci_mount_option_name(i)); i++)
		if (!strcmp(name, word))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct oci_mount m = { 0 };
	size_t others = 0;

	while (in.left > 0) {
		cleanup_free char *word = fuzz_string(&in);
		size_t before = m.data ? strlen(m.data) : 0;

		oci_mount_option(&m, word);
		/* The access time is a field of several bits, which is cleared whole before it is set. */
		FUZZ_CHECK(!(m.flags_set & m.flags_clear));
		FUZZ_CHECK(!(m.rec_attr_set & m.rec_attr_clear & ~(uint64_t)MOUNT_ATTR__ATIME));
		FUZZ_CHECK(!m.recursive || m.bind);
		if (is_known(word))
			FUZZ_CHECK((m.data ? strlen(m.data) : 0) == before);
		others += m.data && strlen(m.data) > before;
	}
	FUZZ_CHECK(others == 0 || m.data);
	free(m.data);
	return 0;
}
