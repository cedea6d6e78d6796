/* SPDX-License-Identifier: Apache-2.0 */
/* What checkpoint and restore have in common: criu's options, its directories, and where criu is. */
#ifndef THOLE_CLIENT_CHECKPOINT_H
#define THOLE_CLIENT_CHECKPOINT_H

#include "client/client.h"
#include "client/command.h"
#include "client/handover.h"
#include "common/path.h"

#define CHECKPOINT_IMAGE_PATH "checkpoint" /* when nobody says: below the current directory, as with runc */

/* What rides beside the request; -1: none. */
struct checkpoint_files {
	int images_fd, work_fd, options_fd;
	int status_fd; /* borrowed: the caller's own */
	struct path_made images, work;
};

#define CHECKPOINT_FILES_NONE ((struct checkpoint_files) { -1, -1, -1, -1, PATH_MADE_NOTHING, PATH_MADE_NOTHING })

void checkpoint_files_close(struct checkpoint_files *f);

/* The command has failed: the directories that were made for it go again, if nothing is in them. */
void checkpoint_files_unmake(const struct checkpoint_files *f);
#define cleanup_checkpoint_files __attribute__((cleanup(checkpoint_files_close)))

/* Open them. `make`: the directories are made (0700) when they are missing. criu is --criu, else $THOLE_CRIU, else one in PATH, else the one beside the build. ERR_CRIU: there is none;
 * ERR_USAGE: one of the directories is an image of a set, or in one. What is made is noted, for checkpoint_files_unmake(). */
int checkpoint_files_open(const struct client *cl, const struct criu_options *o, bool make,
			  struct checkpoint_files *ret, struct err *err);

/* The same with directories that are open: of a set, or of an image; of criu's log. Both are duplicated. */
int checkpoint_image_files(const struct client *cl, const struct criu_options *o, int images_fd, int work_fd,
			   struct checkpoint_files *ret, struct err *err);

/* What --pre-copy says: "N", "require" (as many as help) or "N,require". NULL: no pre-dumps, 0. ERR_USAGE. */
int checkpoint_pre_copy(const char *text, uint64_t *ret, bool *ret_required, struct err *err);

/* Ask for the checkpoint and wait for it. A signal gives it up, and ends us. `pre_copy`: it is among the options. set_fd: of a set, whose progress can be shown; -1: none. */
int checkpoint_ask(const struct client *cl, const char *id, const struct checkpoint_files *f, bool pre_copy, int set_fd,
		   struct err *err);

/* The command with --to. Returns its exit status, or -1 before anything was done. */
int checkpoint_to_set(const struct client *cl, const char *id, const struct criu_options *o, struct err *err);

/* The command 'checkpoint inspect'. */
int checkpoint_inspect(const char *path, struct err *err);

/* The commands 'checkpoint export' and 'checkpoint import': one file ("-": stdout, stdin) out of an image, and a further image of a set out of one (name NULL: as it was called). Whole or
 * not at all. compression: "zstd", "none" or NULL: as the file is called. */
int checkpoint_export(const char *image, const char *file, const char *compression, struct err *err);
int checkpoint_import(const char *file, const char *set, const char *name, struct err *err);

/* Let them ride beside a request; they stay where they are. */
int checkpoint_files_add(const struct checkpoint_files *f, struct handover *h, struct err *err);

/* The path of the criu that is used, the caller's to free. ERR_CRIU: there is none. */
int checkpoint_find_criu(const struct client *cl, char **ret, struct err *err);

/* For a shim that we become: which criu is used goes into the environment, THOLE_CRIU, or why there is none, THOLE_NO_CRIU. */
void checkpoint_tell_criu(const struct client *cl);

#endif
