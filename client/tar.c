/* SPDX-License-Identifier: Apache-2.0 */
/* Just enough of tar: plain files in one directory.
 *
 * Decoding runs in a process without privileges, on what anybody may have written. */
#include "client/tar.h"

#include <stdio.h>
#include <string.h>

int tar_encode(const struct tar_member *m, uint64_t time_s, uint8_t block[TAR_BLOCK], struct err *err)
{
	struct tar_header h = { .type = '0' };

	if (strlen(m->name) >= sizeof(h.name))
		return err_set(err, ERR_LIMIT, "the name '%s' is too long for an archive", m->name);
	memcpy(h.name, m->name, strlen(m->name));
	memcpy(h.mode, "0000600", 7);
	memcpy(h.uid, "0000000", 7);
	memcpy(h.gid, "0000000", 7);
	tar_put_number(h.size, sizeof(h.size), m->size);
	tar_put_number(h.mtime, sizeof(h.mtime), time_s);
	tar_seal(&h);
	memcpy(block, &h, sizeof(h));
	return 0;
}

int tar_decode(const uint8_t block[TAR_BLOCK], struct tar_member *ret, struct err *err)
{
	char name[sizeof(((struct tar_header *)0)->name) + 1] = "";
	const char *plain = name;
	struct tar_header h;

	if (tar_is_empty(block))
		return 0;
	memcpy(&h, block, sizeof(h));
	if (!tar_is_sound(&h))
		return err_set(err, ERR_CONFIG, "it is no tar archive, or a damaged one");
	memcpy(name, h.name, sizeof(h.name));
	/* As `tar cf - -C IMAGE .` writes it. */
	if (!strncmp(plain, "./", 2))
		plain += 2;
	if (h.prefix[0] || !manifest_is_path(plain))
		return err_set(err, ERR_CONFIG, "its member '%s' is not called as a file of an image may be", name);
	if (h.type != '0' && h.type != '\0')
		return err_set(err, ERR_CONFIG, "its member '%s' is no plain file", name);
	if (tar_take_number(h.size, sizeof(h.size), &ret->size) < 0)
		return err_set(err, ERR_CONFIG, "the size of its member '%s' is damaged", name);
	snprintf(ret->name, sizeof(ret->name), "%s", plain);
	return 1;
}
