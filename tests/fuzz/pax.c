/* SPDX-License-Identifier: Apache-2.0 */
/* The archive of a container's files, which anybody may have written. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>

#include "common/fd.h"
#include "common/tar.h"
#include "shim/checkpoint/pax.h"

static bool same_text(const char *a, const char *b)
{
	return (!a && !b) || (a && b && !strcmp(a, b));
}

static bool is_same(const struct pax_entry *a, const struct pax_entry *b)
{
	if (!same_text(a->path, b->path) || !same_text(a->link, b->link) ||
	    !same_text(a->destination, b->destination) || !same_text(a->form, b->form) || a->type != b->type ||
	    a->mode != b->mode || a->uid != b->uid || a->gid != b->gid || a->size != b->size ||
	    a->n_xattrs != b->n_xattrs)
		return false;
	for (size_t i = 0; i < a->n_xattrs; i++)
		if (strcmp(a->xattrs[i].name, b->xattrs[i].name) != 0 || a->xattrs[i].len != b->xattrs[i].len ||
		    memcmp(a->xattrs[i].value, b->xattrs[i].value, a->xattrs[i].len) != 0)
			return false;
	return a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec;
}

/* What was read means the same when it is written and read again, wherever its data is to begin. */
static void write_again(const struct pax_entry *e, uint64_t align)
{
	cleanup_fd int fd = memfd_create("again", MFD_CLOEXEC);
	struct pax_entry again = { 0 };
	struct err err = { 0 };
	uint64_t at = 0;
	size_t len;
	cleanup_free void *header = pax_encode(e, 0, align, &len);

	if (e->size > 1 << 20)
		return;
	FUZZ_CHECK(len % TAR_BLOCK == 0 && (align == 0 || len % align == 0));
	FUZZ_CHECK(pwrite(fd, header, len, 0) == (ssize_t)len);
	FUZZ_CHECK(pax_read(fd, &at, len + e->size + tar_padding(e->size), &again, &err) == 1);
	FUZZ_CHECK(again.data == len && is_same(e, &again));
	pax_entry_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_fd int fd = memfd_create("archive", MFD_CLOEXEC);
	uint64_t at = 0, before;
	int r;

	/* The sums that the headers should have: else nothing would ever come further. */
	cleanup_free uint8_t *copy = xmalloc(size + 1);
	memcpy(copy, data, size);
	for (size_t i = 0; i + TAR_BLOCK <= size; i += TAR_BLOCK) {
		struct tar_header h;

		memcpy(&h, copy + i, sizeof(h));
		if (!memcmp(h.magic, "ustar", 5)) {
			tar_seal(&h);
			memcpy(copy + i, &h, sizeof(h));
		}
	}
	FUZZ_CHECK(pwrite(fd, copy, size, 0) == (ssize_t)size);
	do {
		struct pax_entry e = { 0 };
		struct err err = { 0 };

		before = at;
		r = pax_read(fd, &at, size, &e, &err);
		if (r < 0)
			fuzz_check_err(&err);
		if (r > 0) {
			FUZZ_CHECK(e.path && at > before && at <= size && e.data + e.size <= at);
			FUZZ_CHECK((e.link != NULL) == (e.type == PAX_HARDLINK || e.type == PAX_SYMLINK));
			write_again(&e, 0);
			write_again(&e, 4096);
		}
		pax_entry_release(&e);
	} while (r > 0);
	return 0;
}
