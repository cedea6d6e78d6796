/* SPDX-License-Identifier: Apache-2.0 */
/* The veth pairs that join a container's network namespace to ours: criu has to be told what the outer ends are called. */
#ifndef THOLE_SHIM_CHECKPOINT_VETH_H
#define THOLE_SHIM_CHECKPOINT_VETH_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"
#include "shim/oci/config.h"

#define VETH_FILE                                                                                                      \
	"thole-veths.json" /* a list of { "host", "bridge", "container", "up", "addresses" (of the host's end) } */

/* Find those of process `pid`'s network namespace whose other end is in ours, and write them below dir_fd; no file when there are none. Waits for a child of its own: about a
 * millisecond. */
int veth_write(pid_t pid, int dir_fd, struct err *err);

/* Read them from there; none is no error. Those that `pairs` (HOST[@BRIDGE]=CONTAINER) does not name are added to it; the strings are the caller's. ERR_CONFIG: the file is damaged. */
int veth_read(int dir_fd, struct oci_strings *pairs, struct err *err);

/* Before criu makes them: are the names of our ends free? The kernel removes a pair some time after the last process of its namespace has ended, so this waits up to five seconds. ERR_STATE:
 * one is still there. */
int veth_await_free(const struct oci_strings *pairs, struct err *err);

/* They were made, our ends ends in the network namespace of process `pid`: move them into ours, and into their bridges. */
int veth_fetch(pid_t pid, const struct oci_strings *pairs, struct err *err);

/* criu has made them: give our ends their addresses back, and set them up. */
int veth_set_up(int dir_fd, const struct oci_strings *pairs, struct err *err);

/* Is this HOST[@BRIDGE]=CONTAINER, of names that interfaces can have? */
bool veth_is_pair(const char *text);

#endif
