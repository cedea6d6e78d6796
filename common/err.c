/* SPDX-License-Identifier: Apache-2.0 */
/* One error value, from the kernel's refusal to the user's line. */
#include "common/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Cut a text that was too long for its buffer so that it does not end inside a UTF-8 sequence. */
static void cut_at_character(char *text, size_t size)
{
	size_t n = strnlen(text, size - 1);
	size_t i = n;

	text[n] = '\0';
	if (n < size - 1)
		return;
	while (i > 0 && ((unsigned char)text[i - 1] & 0xc0) == 0x80)
		i--;
	if (i > 0 && ((unsigned char)text[i - 1] & 0x80))
		text[i - 1] = '\0';
}

void err_clean(struct err *err)
{
	for (char *p = err->text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
}

__attribute__((format(printf, 4, 0))) static int fill(struct err *err, ErrCode code, int sys_errno, const char *fmt,
						      va_list ap)
{
	int n;

	err->code = code;
	err->sys_errno = sys_errno;
	n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	if (n < 0)
		n = 0;
	if (sys_errno && (size_t)n < sizeof(err->text))
		snprintf(err->text + n, sizeof(err->text) - n, "%s%s", n ? ": " : "",
			 strerrordesc_np(sys_errno) ? strerrordesc_np(sys_errno) : "unknown error");
	cut_at_character(err->text, sizeof(err->text));
	err_clean(err);
	return -1;
}

int err_sys(struct err *err, const char *fmt, ...)
{
	int sys_errno = errno;
	va_list ap;

	va_start(ap, fmt);
	fill(err, ERR_SYS, sys_errno, fmt, ap);
	va_end(ap);
	return -1;
}

int err_call(struct err *err, const char *call, const char *fmt, ...)
{
	int sys_errno = errno;
	bool denied = sys_errno == ENOSYS || sys_errno == EPERM;
	char what[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return denied ? err_sysno(err, sys_errno, "%s: %s", what, call) : err_sysno(err, sys_errno, "%s", what);
}

int err_sysno(struct err *err, int sys_errno, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, ERR_SYS, sys_errno, fmt, ap);
	va_end(ap);
	return -1;
}

int err_set(struct err *err, ErrCode code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, code, 0, fmt, ap);
	va_end(ap);
	return -1;
}

int err_add(struct err *err, const char *fmt, ...)
{
	char old[ERR_TEXT_MAX];
	va_list ap;
	int n;

	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(err->text))
		snprintf(err->text + n, sizeof(err->text) - n, ": %s", old);
	cut_at_character(err->text, sizeof(err->text));
	err_clean(err);
	return -1;
}

void fatal(const char *fmt, ...)
{
	char line[512] = "thole: fatal: ";
	size_t n = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	n = strlen(line);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		abort();
	abort();
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		fatal("out of memory");
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		fatal("out of memory");
	return p;
}

void *xrealloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (!p)
		fatal("out of memory");
	return p;
}

void *xreallocarray(void *p, size_t n, size_t size)
{
	p = reallocarray(p, n ? n : 1, size ? size : 1);
	if (!p)
		fatal("out of memory");
	return p;
}

char *xstrdup(const char *s)
{
	char *p = strdup(s);

	if (!p)
		fatal("out of memory");
	return p;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (n < 0)
		fatal("out of memory");
	return p;
}
