/* SPDX-License-Identifier: Apache-2.0 */
/* An image of a set: what is known of the container at its moment, the room that it takes, and the worker that seals it. */
#ifndef THOLE_SHIM_CONTAINER_SEALING_H
#define THOLE_SHIM_CONTAINER_SEALING_H

#include "common/manifest.h"
#include "shim/container/container.h"

struct checkpoint_options;
struct sealing;

/* Before anything is frozen. ERR_EXISTS: there is an image of that name; ENOSPC, ERR_LIMIT: it will not fit. set_fd is borrowed. */
int sealing_new(struct container *c, const struct checkpoint_options *o, int set_fd, struct sealing **ret,
		struct err *err);
void sealing_free(struct sealing *s); /* accepts NULL; waits for a worker that it kills */

const char *sealing_name(const struct sealing *s);
struct manifest *sealing_manifest(struct sealing *s);

/* Does the image get the files of the container, too? Accepts NULL. */
bool sealing_captures(const struct sealing *s);

/* Before anything is frozen: how much that will be, and is there room for it? In a worker. ENOSPC, ERR_LIMIT. ERR_USAGE: the set is among these files. */
int sealing_measure(struct sealing *s, container_done_cb *done_cb, void *done_arg, struct err *err);

/* While nothing of it runs: write them, in a worker. new_fd is borrowed. */
int sealing_capture(struct sealing *s, int new_fd, container_done_cb *done_cb, void *done_arg, struct err *err);

/* While nothing of it runs: which files does it have open? */
void sealing_note_files(struct sealing *s);

/* Seal it, in a worker. new_fd and work_fd (criu's log) are borrowed. */
int sealing_start(struct sealing *s, int new_fd, int work_fd, int criu_version, container_done_cb *done_cb,
		  void *done_arg, struct err *err);
bool sealing_runs(const struct sealing *s); /* accepts NULL */
void sealing_kill(struct sealing *s);       /* done_cb comes all the same */

/* criu has ended after the image was sealed: its figures go into the manifest. */
void sealing_note_statistics(struct sealing *s);

#endif
