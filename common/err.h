/* SPDX-License-Identifier: Apache-2.0 */
/* One error value, from the kernel's refusal to the user's line. */
#ifndef THOLE_COMMON_ERR_H
#define THOLE_COMMON_ERR_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>

#include "proto/control.pb.h" /* enum ErrCode: ERR_SYS, ERR_CONFIG, ... */

#define ERR_TEXT_MAX 1024

/* Plain data: needs no allocation, so the same value travels from a forked child to the shim, into a
 * reply and onto the user's screen. All zero means no error.
 *
 * Convention of every function that takes one: it is the last argument and never NULL; 0 or more
 * means success and leaves it alone, -1 means failure and has filled it. There is no third case. */
struct err {
	ErrCode code;
	int sys_errno;           /* 0 unless the kernel (or a library on its behalf) refused */
	char text[ERR_TEXT_MAX]; /* lowercase, no full stop, "cannot VERB 'OBJECT': reason"; one line */
};

/* Fill `err` with ERR_SYS, the present errno and "MESSAGE: strerror". Always returns -1. */
int err_sys(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same with an errno of the caller's (positive). */
int err_sysno(struct err *err, int sys_errno, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* err_sys() of a system call that a filter of a container manager may deny or an older kernel may lack: where errno says that (ENOSYS, EPERM) the call is named too. */
int err_call(struct err *err, const char *call, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Fill `err` when the kernel did not refuse. Always returns -1. */
int err_set(struct err *err, ErrCode code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put "CONTEXT: " in front of the text; code and errno stay. Always returns -1. What does not fit is
 * cut off at the end, never inside a UTF-8 sequence. */
int err_add(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Replace control characters in the text, so that it stays one line whatever a path contained. */
void err_clean(struct err *err);

static inline bool err_is_sys(const struct err *err, int sys_errno)
{
	return err->code == ERR_SYS && err->sys_errno == sys_errno;
}

/* One line to stderr, then abort(). Only for exhausted memory and our own broken invariants: nothing
 * that a peer, a file or a container sends reaches it. Safe in a forked child. */
void fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* malloc and friends that call fatal() instead of returning NULL. The caller frees. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
