/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share: taking an input apart, and saying that something does not hold.
 *
 * A target is one file with LLVMFuzzerTestOneInput(). It feeds what came to the code, and checks more than that nothing crashes: what was accepted means the same when it is
 * written and read again, what was refused has a reason of one line, and no descriptor stays open. */
#ifndef THOLE_TESTS_FUZZ_FUZZ_H
#define THOLE_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Abort, which the fuzzer takes for a finding, unless `condition` holds. */
#define FUZZ_CHECK(condition)                                                                                          \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			fuzz_broken(#condition, __FILE__, __LINE__);                                                   \
	} while (0)
void fuzz_broken(const char *condition, const char *file, int line) __attribute__((noreturn));

/* A failure has a code and a reason, which is one line. */
void fuzz_check_err(const struct err *err);

/* What is left of an input. */
struct fuzz_input {
	const uint8_t *p;
	size_t left;
};

/* 0 when nothing is left. */
uint8_t fuzz_byte(struct fuzz_input *in);

/* Up to `len` bytes; ret_len says how many. Points into the input. */
const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t len, size_t *ret_len);

/* The bytes up to the next NUL, or all that is left, as a string; caller frees. */
char *fuzz_string(struct fuzz_input *in);

/* A directory of this process's own, made at the first call and removed when it exits. */
const char *fuzz_dir(void);
int fuzz_dir_fd(void);

/* Make or replace NAME in that directory. */
void fuzz_write(const char *name, const void *data, size_t len);

/* How many descriptors are open. */
int fuzz_open_fds(void);

/* A process that does nothing, a child of this one; ends with it. */
pid_t fuzz_sleeper(void);

/* From now on nothing that this process does reaches other processes: no signals, no new ones, no mounts and namespaces. Refused calls fail with EPERM, as they may
 * anywhere. The runner takes the privileges away. */
void fuzz_confine(void);

#endif
