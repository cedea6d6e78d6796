/* SPDX-License-Identifier: Apache-2.0 */
/* A container's state directory, as a shim has left it, for the targets that load one. */
#ifndef THOLE_TESTS_FUZZ_CONTAINER_H
#define THOLE_TESTS_FUZZ_CONTAINER_H

#include "common/statedir.h"

#define FUZZ_ID "c"

/* ROOT below fuzz_dir(), without anything in it. The descriptor stays this file's. */
int fuzz_empty_root(void);

/* A record of a container whose init is the sleeping child, in this state. */
struct status_record fuzz_record(enum container_status status);

/* ROOT/c with this record (NULL: none), a config.json and a state.json of nothing special. */
void fuzz_make_container(struct status_record *rec);

/* Replace a file of ROOT/c. */
void fuzz_write_state(const char *name, const void *data, size_t len);

#endif
