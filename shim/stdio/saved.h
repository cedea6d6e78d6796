/* SPDX-License-Identifier: Apache-2.0 */
/* What a shim leaves for the program that is executed in its place (proto/upgrade.proto): making it, judging it, and the descriptors in it.
 *
 * Each part is filled in by the file whose structs it describes (NAME_save) and made into these again by the same (NAME_resume). What is resumed has
 * been judged before, so nothing there has to be refused but by the kernel. */
#ifndef THOLE_SHIM_STDIO_SAVED_H
#define THOLE_SHIM_STDIO_SAVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h" /* also for saved_append() */
#include "proto/upgrade.pb-c.h"

#define SAVED_FORMAT 2        /* the latest that is understood; saved_format() says which one a state is written in */
#define SAVED_MAX (32u << 20) /* bytes of one state */

/* A new message of a type by the generated prefix: saved_new(Saved__Relay, relay). The caller's, or its parent message's. */
void *saved_alloc(const ProtobufCMessageDescriptor *type);
#define saved_new(type, prefix) ((type *)saved_alloc(&saved__##prefix##__descriptor))

/* Append to a repeated field: `list` and `n` are its members. */
#define saved_append(list, n, value)                                                                                   \
	do {                                                                                                           \
		(list) = xreallocarray((list), (n) + 1, sizeof(*(list)));                                              \
		(list)[(n)++] = (value);                                                                               \
	} while (0)

/* Descriptors: -1 is 0 there. */
uint32_t saved_fd(int fd);
int saved_to_fd(uint32_t number);

/* A copy; nothing for no bytes. */
ProtobufCBinaryData saved_bytes(const void *data, size_t len);

void saved_free(Saved__Shim *s); /* accepts NULL */

/* The earliest format whose readers do no harm with this state: 2 when an adopted process has a foreground client, of whom those of 1 do not know what it had before (Output.origin), or when
 * bytes of a client that has left are still to be taken. */
uint32_t saved_format(const Saved__Shim *s);

/* As bytes; caller frees. ERR_LIMIT: more than SAVED_MAX. */
int saved_pack(const Saved__Shim *s, void **ret_data, size_t *ret_len, struct err *err);

/* Of bytes that may be anything. ERR_CONFIG: they are no such state, or one that means nothing. ERR_UNSUPPORTED: its format is a later one. Descriptors are judged as
 * numbers: none stands for two things. Caller frees ret with saved_free(). */
int saved_unpack(const void *data, size_t len, Saved__Shim **ret, struct err *err);

/* Every descriptor in it. Stops and returns what visit returns when that is not 0. */
int saved_each_fd(const Saved__Shim *s, int (*visit)(void *arg, int fd), void *arg);

#endif
