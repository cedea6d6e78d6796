/* SPDX-License-Identifier: Apache-2.0 */
/* What an image of a set says of itself: manifest.json, written last, and with it every file's digest.
 *
 * A text that is JSON, begins with its own digest and has nothing to follow: no path in it is ever opened, names are of files in the image's directory alone. */
#ifndef THOLE_COMMON_MANIFEST_H
#define THOLE_COMMON_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/sha256.h"

#define MANIFEST_FILE "manifest.json"
#define MANIFEST_MAX (16 << 20) /* bytes of the text */
#define MANIFEST_FILES_MAX 100000
#define MANIFEST_NAME_MAX 128

/* Where the memory of the pre-dumps is: a directory of this name in the image's, and one in that for the pre-dump before it, and so on. */
#define MANIFEST_PARENT "parent"
#define MANIFEST_PARENTS_MAX 10

/* Names in a set's directory. Everything that begins with a dot is under way or left over. */
#define SET_LATEST "latest"
#define SET_NEW ".thole-dump"
#define SET_NEW_LATEST ".thole-latest"
#define SET_OLD ".thole-old" /* being removed */

struct manifest_file {
	char name[MANIFEST_NAME_MAX];
	uint64_t size;
	char sha256[SHA256_TEXT_SIZE];
};

/* An open file of the container whose content is not in the image. */
struct manifest_open_file {
	char *path; /* as the container sees it */
	uint64_t size, mtime_ns;
	bool appended; /* nothing else is done to it: it may have grown */
};

/* criu's own, microseconds and pages of 4 KiB. */
struct manifest_statistics {
	bool known;
	uint64_t freezing_us, frozen_us, memdump_us, memwrite_us;
	uint64_t pages_scanned, pages_skipped, pages_written, shared_pages_scanned, shared_pages_written;
};

struct manifest {
	char id[256], name[256];
	uint64_t created_ns; /* CLOCK_REALTIME */
	char config[SHA256_TEXT_SIZE];
	char rootfs[1024];
	uint64_t rootfs_device, rootfs_inode;
	char kernel[72], architecture[72], criu[24], thole[32];
	bool running; /* it went on */
	bool tcp_established, tcp_close, shell_job, ext_unix_sk,
		file_locks; /* what criu was told, and is to be told again */
	char capture[16];   /* how the root's files are in it: "none", "copy", "reflink" */
	struct manifest_statistics statistics;
	size_t n_pre_dumps; /* of which the image goes on; the first one is the earliest */
	struct manifest_statistics pre_dumps[MANIFEST_PARENTS_MAX];
	uint64_t size; /* of all files */
	size_t n_files, n_open;
	struct manifest_file *files;
	struct manifest_open_file *open;
};

void manifest_release(struct manifest *m);

/* The text, the caller's. Its own digest is computed here. */
char *manifest_text(const struct manifest *m);

/* Judge a text that anybody may have written. ERR_CONFIG names what is wrong. ret is released with manifest_release(), after a failure too. */
int manifest_parse(const char *text, struct manifest *ret, struct err *err);

/* May an image, or a file of one, be called so? [A-Za-z0-9_+.-], no dot and no dash first. */
bool manifest_is_name(const char *name);

/* May an image of a set be called so? A name, and none that something else has in the set's directory. */
bool manifest_is_image_name(const char *name);

/* May a file of one be called so, seen from the image's directory? A name, or one below "parent/", "parent/parent/" and so on. */
bool manifest_is_path(const char *path);

/* Open the directory of the pre-dump that the one in dir_fd goes on from. Returns 1, 0: there is none, or something else is called so; -1: it cannot be opened. A link is not
 * followed. */
int manifest_open_parent(int dir_fd, int *ret_fd, struct err *err);

/* NULL: there is none. */
const struct manifest_file *manifest_find(const struct manifest *m, const char *name);

/* Takes a copy. */
void manifest_add_file(struct manifest *m, const struct manifest_file *f);
void manifest_add_open(struct manifest *m, const struct manifest_open_file *f);

#endif
