/* SPDX-License-Identifier: Apache-2.0 */
/* What replay.c, which knows what has to be where, and replay_file.c, which makes it so, share. */
#ifndef THOLE_SHIM_CHECKPOINT_REPLAY_INTERNAL_H
#define THOLE_SHIM_CHECKPOINT_REPLAY_INTERNAL_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "shim/checkpoint/capture.h"
#include "shim/checkpoint/names.h"
#include "shim/checkpoint/overlay.h"
#include "shim/checkpoint/pax.h"
#include "shim/checkpoint/replay.h"

#define REPLAY_GONE "w" /* beside enum pax_type: it was removed from what the lower layers have */

/* A tree that files are put back into. Paths are relative to it, "" is itself. */
struct area {
	char *name; /* in the archive */
	char *path; /* of the host */
	const struct capture_area *plan;
	bool upper;
	int root_fd;
	struct overlay layers;   /* of an overlay */
	struct names names;      /* what the capture has: a letter of enum pax_type */
	struct names kept;       /* files with several names that are left alone: "DEV:INO" */
	struct names lower_dirs; /* that are to be as the lower layers have them */
};

struct replaying {
	int tar_fd;
	uint64_t end;
	const struct replay *r;
	size_t n_binds;
	size_t n; /* areas of the archive, as they come */
	struct area v[CAPTURE_AREAS_MAX];
	size_t n_open;
	struct area open[CAPTURE_AREAS_MAX]; /* those of the plan that have not come yet */
};

void replay_area_release(struct area *a);

/* openat2 below root_fd, without links, on the same mount. -1 and errno. */
int replay_open(int root_fd, const char *path, int flags);

/* "PATH/NAME", the caller's; the last component; all but that, the caller's. */
char *replay_below(const char *path, const char *name);
const char *replay_name(const char *path);
char *replay_parent(const char *path);

/* fd_list(), with its error. */
DIR *replay_list(int dir_fd, struct err *err);
int replay_read_names(int dir_fd, struct names *ret, struct err *err);

/* Remove it and what is below it; missing is success. */
int replay_remove(int dir_fd, const char *name, struct err *err);
int replay_remove_path(struct area *a, const char *path, struct err *err);

/* Is this device there already? */
bool replay_has_device(int root_fd, const char *path, const struct pax_entry *e);

/* Is one of this type, owner and mode there already? If it runs with more privileges than whoever starts it, its data and its capabilities have to be the same, too. */
bool replay_has_same(const struct area *a, const char *path, const struct pax_entry *e, int data_fd);

/* Could the container have given it this owner, and these capabilities? (replay_owner.c) */
bool replay_may_own(const struct replay *r, const struct area *a, const struct pax_entry *e);

/* Make it so: whatever else is there goes. Data is read from data_fd at e->data. */
int replay_put(struct area *a, const char *path, const struct pax_entry *e, int data_fd, struct err *err);
int replay_make_directory(struct area *a, const char *path, struct err *err);
int replay_finish_directory(struct area *a, const char *path, const struct pax_entry *e, struct err *err);

/* The same, as it is in the lower layers. */
int replay_from_lower(struct area *a, const char *path, struct err *err);
int replay_copy_lower(struct area *a, const char *path, struct err *err);
int replay_finish_lower(struct area *a, const char *path, struct err *err);

/* Keep the privileges over files, and nothing else. */
int replay_give_up_privileges(struct err *err);

#endif
