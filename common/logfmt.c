/* SPDX-License-Identifier: Apache-2.0 */
/* The k8s-file (CRI) log format, written by the shim and read by the client. */
#include "common/logfmt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "common/fd.h"

static void refresh_clock(struct logfmt_clock *cache, time_t second)
{
	struct tm tm;
	long zone;

	localtime_r(&second, &tm);
	zone = tm.tm_gmtoff / 60;
	strftime(cache->text, sizeof(cache->text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(cache->zone, sizeof(cache->zone), "%c%02d:%02d", zone < 0 ? '-' : '+', (int)(labs(zone) / 60) % 100,
		 (int)(labs(zone) % 60));
	cache->second = second;
}

size_t logfmt_prefix(char *buf, struct logfmt_clock *cache, const struct timespec *now, Stream stream, bool full)
{
	if (cache->second != now->tv_sec || !cache->text[0])
		refresh_clock(cache, now->tv_sec);
	return (size_t)snprintf(buf, LOGFMT_PREFIX_MAX, "%s.%09ld%s %s %c ", cache->text, now->tv_nsec, cache->zone,
				stream == STREAM_STDERR ? "stderr" : "stdout", full ? 'F' : 'P');
}

/* Exactly n digits at *p, which moves on. -1 when they are not. */
static int digits(const char **p, const char *end, int n)
{
	int value = 0;

	if (end - *p < n)
		return -1;
	for (; n > 0; n--, (*p)++) {
		if (**p < '0' || **p > '9')
			return -1;
		value = value * 10 + (**p - '0');
	}
	return value;
}

/* Days from 1970-01-01 in the Gregorian calendar; month 1 to 12. timegm(3) takes ten times as
 * long and a lock, and `logs --since` parses every line. Years start in March here, so that the
 * leap day comes last. */
static long days_from_civil(long year, int month, int day)
{
	long y = month > 2 ? year : year - 1;
	long from_march = (month + 9) % 12;

	return y * 365 + y / 4 - y / 100 + y / 400 + (from_march * 153 + 2) / 5 + day - 1 - 719468;
}

static bool parse_date(const char **p, const char *end, time_t *ret)
{
	static const struct {
		char after;
		unsigned char width, min, max;
	} fields[] = {
		{ '-', 2, 1, 12 }, { '-', 2, 1, 31 }, { 'T', 2, 0, 23 }, { ':', 2, 0, 59 }, { ':', 2, 0, 60 },
	};
	int year = digits(p, end, 4), value[ARRAY_SIZE(fields)];

	if (year < 1)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (*p == end || *(*p)++ != fields[i].after)
			return false;
		value[i] = digits(p, end, fields[i].width);
		if (value[i] < fields[i].min || value[i] > fields[i].max)
			return false;
	}
	*ret = days_from_civil(year, value[0], value[1]) * 86400 + value[2] * 3600 + value[3] * 60 + value[4];
	return true;
}

/* "Z", "+00:00" or "-03:30", to the end. */
static bool parse_zone(const char *p, const char *end, long *ret_seconds)
{
	int hours, minutes, sign;

	if (end - p == 1 && *p == 'Z') {
		*ret_seconds = 0;
		return true;
	}
	if (end - p != 6 || (p[0] != '+' && p[0] != '-') || p[3] != ':')
		return false;
	sign = *p++ == '-' ? -1 : 1;
	hours = digits(&p, end, 2);
	p++;
	minutes = digits(&p, end, 2);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return false;
	*ret_seconds = sign * (hours * 3600L + minutes * 60L);
	return true;
}

/* "2026-11-23T20:30:00.123456789+00:00" or the same with Z and more, fewer or no decimals. */
bool logfmt_parse_time(const char *s, size_t len, struct timespec *ret)
{
	const char *p = s, *end = s + len;
	long nsec = 0, scale = 100000000, zone;
	time_t sec;

	if (!parse_date(&p, end, &sec))
		return false;
	if (p < end && *p == '.') {
		p++;
		if (p == end || *p < '0' || *p > '9')
			return false;
		for (; p < end && *p >= '0' && *p <= '9'; p++, scale /= 10)
			nsec += (*p - '0') * scale;
	}
	if (!parse_zone(p, end, &zone))
		return false;
	*ret = (struct timespec) { .tv_sec = sec - zone, .tv_nsec = nsec };
	return true;
}

bool logfmt_parse(const char *line, size_t len, struct logfmt_record *ret)
{
	const char *end = line + len, *stamp_end = memchr(line, ' ', len);
	struct logfmt_record r = { .stamp = line };
	const char *p;

	if (!stamp_end)
		return false;
	r.stamp_len = (size_t)(stamp_end - line);
	p = stamp_end + 1;
	if (end - p < 9 || p[6] != ' ' || p[8] != ' ' || (p[7] != 'F' && p[7] != 'P'))
		return false;
	if (!memcmp(p, "stdout", 6))
		r.stream = STREAM_STDOUT;
	else if (!memcmp(p, "stderr", 6))
		r.stream = STREAM_STDERR;
	else
		return false;
	if (!logfmt_parse_time(line, r.stamp_len, &r.time))
		return false;
	r.full = p[7] == 'F';
	r.text = p + 9;
	r.text_len = (size_t)(end - r.text);
	*ret = r;
	return true;
}

#define ROTATION "user.thole.rotation"

uint64_t logfmt_rotation(int fd)
{
	char text[24];
	ssize_t n = fgetxattr(fd, ROTATION, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return strtoull(text, NULL, 10);
}

void logfmt_set_rotation(int fd, uint64_t n)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)n);

	fsetxattr(fd, ROTATION, text, (size_t)len, 0);
}
