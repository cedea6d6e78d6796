/* SPDX-License-Identifier: Apache-2.0 */
/* The form of rootfs.tar: POSIX's pax archive, as tar(1) reads it, of exactly what captured files have: owners, modes, times, extended attributes, links, devices. */
#ifndef THOLE_SHIM_CHECKPOINT_PAX_H
#define THOLE_SHIM_CHECKPOINT_PAX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/err.h"

#define PAX_PATH_MAX 4096
#define PAX_XATTRS_MAX 256
#define PAX_XATTRS_BYTES (768 << 10) /* of their names and values, pax_xattr_bytes() each */

enum pax_type {
	PAX_FILE = '0',
	PAX_HARDLINK = '1',
	PAX_SYMLINK = '2',
	PAX_CHAR = '3',
	PAX_BLOCK = '4',
	PAX_DIR = '5',
	PAX_FIFO = '6'
};

struct pax_xattr {
	char *name;
	void *value;
	size_t len;
};

struct pax_entry {
	char *path; /* relative */
	enum pax_type type;
	mode_t mode; /* 07777 */
	uid_t uid;
	gid_t gid;
	uint64_t size; /* of the data that follows: of files alone */
	struct timespec mtime;
	unsigned int major, minor;
	char *link; /* where it points, or the path of the file that it is another name of; NULL: none */
	size_t n_xattrs;
	struct pax_xattr *xattrs;
	char *destination, *form; /* of the directory that an area begins with (capture.h); NULL: it is none */
	uint64_t data;            /* set by pax_read(): where its data is */
};
void pax_entry_release(struct pax_entry *e);
#define cleanup_pax __attribute__((cleanup(pax_entry_release)))

/* What a file, a directory or a node is, without path, link and attributes. */
void pax_entry_from(struct pax_entry *e, const struct stat *st);
void pax_add_xattr(struct pax_entry *e, const char *name, const void *value, size_t len);

/* What this one takes in the headers, at most. */
size_t pax_xattr_bytes(const struct pax_xattr *x);

/* The headers of an entry that stands at offset `at`, the caller's to free. align (a multiple of 512): its data begins at a multiple of that. */
void *pax_encode(const struct pax_entry *e, uint64_t at, uint64_t align, size_t *ret_len);

/* Read the entry at *at of a file of `end` bytes, which anybody may have written; *at is then where the next one is. Returns 1; 0: the archive ends here, as it should; -1: ERR_CONFIG, it is
 * damaged, or has what we do not write. Kinds, lengths and numbers are judged, what the entry means is not. */
int pax_read(int fd, uint64_t *at, uint64_t end, struct pax_entry *ret, struct err *err);

#endif
