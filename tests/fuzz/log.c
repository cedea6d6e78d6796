/* SPDX-License-Identifier: Apache-2.0 */
/* Logs as the client reads them: records, files across a rotation, the last lines; and that what we write we can read. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/logfile.h"
#include "common/fd.h"
#include "common/logfmt.h"
#include "common/logjson.h"

static bool within(const char *p, size_t len, const char *line, size_t line_len)
{
	return len <= line_len && p >= line && p + len <= line + line_len;
}

static void check_record(const struct logfmt_record *r, const char *line, size_t len)
{
	FUZZ_CHECK(within(r->stamp, r->stamp_len, line, len) && within(r->text, r->text_len, line, len));
	FUZZ_CHECK(r->time.tv_nsec >= 0 && r->time.tv_nsec < 1000000000);
	FUZZ_CHECK(r->stream == STREAM_STDOUT || r->stream == STREAM_STDERR);
}

static void parse_line(const uint8_t *data, size_t len)
{
	cleanup_free char *line = xmalloc(len + 1);
	struct logfmt_record r;

	memcpy(line, data, len);
	if (logfmt_parse(line, len, &r))
		check_record(&r, line, len);
	if (logjson_parse(line, len, &r))
		check_record(&r, line, len);
}

/* Escaped in two pieces, cut anywhere, and read again: the same text, but for bytes that are no UTF-8, which become U+FFFD and then stay. */
static void write_and_read(const uint8_t *data, size_t len, size_t cut, bool again)
{
	static const char head[] = "{\"log\":\"",
			  tail[] = "\",\"stream\":\"stderr\",\"time\":\"2026-11-23T20:30:00.123456789Z\"}";
	cleanup_free char *line = xmalloc(sizeof(head) + LOGJSON_ESCAPED_MAX(len) * 2 + sizeof(tail));
	struct logjson_carry carry = { 0 };
	struct logfmt_record r;
	size_t n = sizeof(head) - 1;

	memcpy(line, head, n);
	n += logjson_escape(line + n, &carry, (const char *)data, cut, false);
	n += logjson_escape(line + n, &carry, (const char *)data + cut, len - cut, true);
	memcpy(line + n, tail, sizeof(tail) - 1);
	n += sizeof(tail) - 1;
	FUZZ_CHECK(logjson_parse(line, n, &r));
	FUZZ_CHECK(r.stream == STREAM_STDERR && r.time.tv_nsec == 123456789);
	FUZZ_CHECK(r.full == (len > 0 && data[len - 1] == '\n'));
	if (!again) {
		cleanup_free char *text = xmalloc(r.text_len + 1);

		memcpy(text, r.text, r.text_len);
		text[r.text_len] = r.full ? '\n' : 0;
		write_and_read((uint8_t *)text, r.text_len + r.full, 0, true);
	} else {
		FUZZ_CHECK(r.text_len + r.full == len && !memcmp(r.text, data, r.text_len));
	}
}

/* From here to the end; `expected` is what the last of it must be. */
static size_t read_on(struct logfile *f, const uint8_t *data, size_t len)
{
	cleanup_free uint8_t *buf = xmalloc(len + 1);
	size_t have = 0;
	struct err err = { 0 };
	ssize_t n;

	while ((n = logfile_read(f, buf + have, len + 1 - have, &err)) > 0)
		have += (size_t)n;
	FUZZ_CHECK(n == 0 && have <= len);
	FUZZ_CHECK(!memcmp(buf, data + len - have, have));
	return have;
}

static size_t count_lines(const uint8_t *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += p[i] == '\n';
	return n;
}

/* In three files, the newest being the last part. */
static void files(const uint8_t *data, size_t len, size_t cut1, size_t cut2, uint8_t lines)
{
	static const char *const drivers[] = { "k8s-file", "json-file", "raw" };
	cleanup_free char *path = xasprintf("%s/ctr.log", fuzz_dir());
	cleanup_logfile struct logfile whole = LOGFILE_NONE;
	int dir_fd = fuzz_dir_fd(), fds = fuzz_open_fds();
	struct err err = { 0 };

	fuzz_write("ctr.log.2", data, cut1);
	fuzz_write("ctr.log.1", data + cut1, cut2 - cut1);
	fuzz_write("ctr.log", data + cut2, len - cut2);
	FUZZ_CHECK(logfile_open(&whole, path, &err) == 0);
	FUZZ_CHECK(read_on(&whole, data, len) == len);
	FUZZ_CHECK(log_format_guess(path));
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		cleanup_logfile struct logfile f = LOGFILE_NONE;
		size_t got;

		FUZZ_CHECK(logfile_seek_tail(&f, path, log_format_find(drivers[i]), lines, &err) == 0);
		got = read_on(&f, data, len);
		/* With records it may be more lines than asked for, never fewer than there are. */
		if (count_lines(data, len) >= lines)
			FUZZ_CHECK(i == 2 || count_lines(data + len - got, got) >= lines);
		else
			FUZZ_CHECK(got == len);
	}
	logfile_release(&whole);
	FUZZ_CHECK(dir_fd >= 0 && fuzz_open_fds() == fds);
}

/* Four bytes of numbers, then the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint8_t cut1 = fuzz_byte(&in), cut2 = fuzz_byte(&in), lines = fuzz_byte(&in), kinds = fuzz_byte(&in);
	size_t first = in.left * cut1 / 512, second = first + (in.left - first) * cut2 / 256;

	for (size_t at = 0; at <= in.left;) {
		const uint8_t *nl = memchr(in.p + at, '\n', in.left - at);
		size_t n = nl ? (size_t)(nl - in.p) - at : in.left - at;

		parse_line(in.p + at, n);
		at += n + 1;
	}
	write_and_read(in.p, in.left, first, false);
	if (kinds % 4 == 0)
		files(in.p, in.left, first, second, lines % 16);
	return 0;
}
