/* SPDX-License-Identifier: Apache-2.0 */
/* What the program says beside its answers: --log FILE, --log-format text|json, --debug. */
#include "common/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"

#define LINE_MAX_BYTES 4096

/* One per process, as there is one stderr: see log.h. */
static struct {
	int fd;
	enum log_format format;
	enum log_level max;
} the_log = { .fd = -1 };

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_init(int fd, enum log_format format, enum log_level max)
{
	the_log.fd = fd;
	the_log.format = format;
	the_log.max = max;
}

int log_fd(void)
{
	return the_log.fd;
}

bool log_wants(enum log_level level)
{
	return the_log.fd >= 0 && level <= the_log.max;
}

/* Length of the UTF-8 sequence that `s` starts with; 0: it is none (overlong, a surrogate, cut
 * off, beyond U+10FFFF). */
static size_t utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char first, last; /* of the lead byte */
		unsigned char low, high;   /* of the byte after it */
		unsigned char length;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (s[0] < forms[i].first || s[0] > forms[i].last)
			continue;
		if (s[1] < forms[i].low || s[1] > forms[i].high)
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

/* Both formats quote as JSON does. Control characters, C1 ones too (a terminal may obey them),
 * become \u escapes; what is not UTF-8 becomes U+FFFD. */
static void quote(char *out, size_t size, const char *in)
{
	const unsigned char *s = (const unsigned char *)in;
	size_t n = 0, len;

	while (*s && n + sizeof("\\u0000") < size) {
		if (*s == '"' || *s == '\\') {
			out[n++] = '\\';
			out[n++] = (char)*s++;
		} else if (*s == '\n') {
			out[n++] = '\\';
			out[n++] = 'n';
			s++;
		} else if (*s < ' ' || *s == 0x7f) {
			n += (size_t)snprintf(out + n, size - n, "\\u%04x", *s++);
		} else if (*s < 0x7f) {
			out[n++] = (char)*s++;
		} else if ((len = utf8_length(s)) == 0) {
			n += (size_t)snprintf(out + n, size - n, "\\ufffd");
			s++;
		} else if (s[0] == 0xc2 && s[1] < 0xa0) {
			n += (size_t)snprintf(out + n, size - n, "\\u%04x", s[1]);
			s += len;
		} else {
			memcpy(out + n, s, len);
			n += len;
			s += len;
		}
	}
	out[n] = '\0';
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES / 2] = "", quoted[LINE_MAX_BYTES - 128], line[LINE_MAX_BYTES], stamp[40];
	time_t now = time(NULL);
	struct tm tm;
	va_list ap;
	int n;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	quote(quoted, sizeof(quoted), text);
	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (the_log.format == LOG_FORMAT_JSON)
		n = snprintf(line, sizeof(line), "{\"level\":\"%s\",\"msg\":\"%s\",\"time\":\"%s\"}\n",
			     level_names[level], quoted, stamp);
	else
		n = snprintf(line, sizeof(line), "time=\"%s\" level=%s msg=\"%s\"\n", stamp, level_names[level],
			     quoted);
	if (n > 0 && write(the_log.fd, line, (size_t)n) < 0)
		return; /* nowhere left to say it */
}
