/* SPDX-License-Identifier: Apache-2.0 */
/* What is written into log files: k8s-file, json-file, raw. */
#include <json-c/json.h>
#include <stdio.h>

#include "common/fd.h"
#include "common/json.h"
#include "shim/stdio/logfile_internal.h"

#define FILE_OPS(open_fn)                                                                                              \
	{                                                                                                              \
		.open = open_fn, .write = logfile_write, .mark = logfile_note_end, .go_back = logfile_go_back,         \
		.held = logfile_held_back, .hold = logfile_hold, .reopen = logfile_reopen, .finish = logfile_finish,   \
		.sync = logfile_sync, .trim = logfile_trim, .free = logfile_free, .save = logfile_save,                \
		.resume = logfile_resume                                                                               \
	}

static void append(struct logfile *lf, const char *text, size_t len)
{
	memcpy(lf->out + lf->used, text, len);
	lf->used += len;
}

/* ---- k8s-file -------------------------------------------------------------------------------------------------------- */

static size_t k8s_put(struct logfile *lf, Stream stream, const struct timespec *now, const char *data, size_t len)
{
	/* A copy of fixed length is a handful of instructions, of any other a call: what is too much is written over. */
	char prefix[LOGFMT_PREFIX_MAX];
	size_t prefix_len = logfmt_prefix(prefix, &lf->clock, now, stream, true);
	const char *at = data, *end = data + len;
	char *out = lf->out + lf->used, *out_end = lf->out + LOGFILE_OUT_BYTES;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((newline ? newline : end) - at);

		if ((size_t)(out_end - out) < LOGFMT_PREFIX_MAX + n + 1)
			break;
		memcpy(out, prefix, LOGFMT_PREFIX_MAX);
		out += prefix_len;
		if (!newline)
			out[-2] = 'P';
		memcpy(out, at, n);
		out += n;
		*out++ = '\n';
		at += n + (newline != NULL);
	}
	lf->used = (size_t)(out - lf->out);
	return (size_t)(at - data);
}

#define K8S_FRAME_FROM_BYTES (16u << 10)

static size_t k8s_frame(struct logfile *lf, Stream stream, const struct timespec *now, const char *data, size_t len,
			struct iovec *ret)
{
	const char *newline;
	size_t n, prefix_len;

	if (len < K8S_FRAME_FROM_BYTES || memchr(data, '\n', K8S_FRAME_FROM_BYTES))
		return 0;
	newline = memchr(data + K8S_FRAME_FROM_BYTES, '\n', len - K8S_FRAME_FROM_BYTES);
	n = (size_t)((newline ? newline : data + len) - data);
	prefix_len = logfmt_prefix(lf->out, &lf->clock, now, stream, newline != NULL);
	lf->out[prefix_len] = '\n';
	ret[0] = (struct iovec) { .iov_base = lf->out, .iov_len = prefix_len };
	ret[1] = (struct iovec) { .iov_base = (char *)data, .iov_len = n };
	ret[2] = (struct iovec) { .iov_base = lf->out + prefix_len, .iov_len = 1 };
	return n + (newline != NULL);
}

static void k8s_remark(struct logfile *lf, const struct timespec *now, const char *text, size_t len)
{
	char line[LOG_REMARK_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(lf->in_line); i++)
		if (lf->in_line[i])
			k8s_put(lf, log_stream_at(i), now, "\n", 1);
	memcpy(line, text, len);
	line[len] = '\n';
	k8s_put(lf, STREAM_STDERR, now, line, len + 1);
}

static const struct logfile_format k8s_format = { .put = k8s_put, .frame = k8s_frame, .remark = k8s_remark };

static int k8s_open(const struct log_options *options, struct log **ret, struct err *err)
{
	struct logfile *lf;

	if (logfile_new(&k8s_format, options, &lf, err) < 0)
		return -1;
	*ret = &lf->log;
	return 0;
}

const struct log_ops log_k8s_ops = FILE_OPS(k8s_open);

/* ---- json-file ------------------------------------------------------------------------------------------------------- */

/* Everything of an object but the text. */
#define JSON_FRAME_MAX (96 + LOGFMT_PREFIX_MAX)

/* `text` becomes one object, if there is anything of it to tell now. */
static void json_object_put_text(struct logfile *lf, Stream stream, const struct timespec *now, const char *text,
				 size_t len, bool end)
{
	struct logjson_carry *carry = &lf->carry[stream == STREAM_STDERR];
	char stamp[LOGFMT_PREFIX_MAX];
	size_t start = lf->used, text_len, stamp_len;

	append(lf, "{\"log\":\"", 8);
	text_len = logjson_escape(lf->out + lf->used, carry, text, len, end);
	if (text_len == 0) {
		lf->used = start;
		return;
	}
	lf->used += text_len;
	append(lf, stream == STREAM_STDERR ? "\",\"stream\":\"stderr\"" : "\",\"stream\":\"stdout\"", 19);
	if (lf->attrs)
		append(lf, lf->attrs, strlen(lf->attrs));
	append(lf, ",\"time\":\"", 9);
	stamp_len = logjson_time(stamp, &lf->clock, now);
	append(lf, stamp, stamp_len);
	append(lf, "\"}\n", 3);
}

static size_t json_put(struct logfile *lf, Stream stream, const struct timespec *now, const char *data, size_t len)
{
	size_t frame = JSON_FRAME_MAX + (lf->attrs ? strlen(lf->attrs) : 0), at = 0;

	while (at < len) {
		size_t n = logfile_piece(data + at, len - at, LOGJSON_PIECE_MAX);

		if (LOGFILE_OUT_BYTES - lf->used < frame + LOGJSON_ESCAPED_MAX(n))
			break;
		json_object_put_text(lf, stream, now, data + at, n, false);
		at += n;
	}
	return at;
}

static void json_remark(struct logfile *lf, const struct timespec *now, const char *text, size_t len)
{
	char line[LOG_REMARK_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(lf->in_line); i++)
		if (lf->in_line[i])
			json_object_put_text(lf, log_stream_at(i), now, "\n", 1, false);
	memcpy(line, text, len);
	line[len] = '\n';
	json_object_put_text(lf, STREAM_STDERR, now, line, len + 1, true);
}

static void json_finish(struct logfile *lf, const struct timespec *now)
{
	for (size_t i = 0; i < ARRAY_SIZE(lf->carry); i++)
		if (lf->carry[i].n > 0)
			json_object_put_text(lf, log_stream_at(i), now, "", 0, true);
}

static const struct logfile_format json_format = {
	.piece_max = LOGJSON_PIECE_MAX, .put = json_put, .remark = json_remark, .finish = json_finish
};

/* ',"attrs":{"tag":"...","K":"V"}'; NULL: there are none. Caller frees. */
static char *make_attrs(const struct log_options *o)
{
	struct json_object *attrs;
	cleanup_free char *labels = xstrdup(o->labels ? o->labels : "");
	char *rest = labels, *pair, *text;

	if (!o->tag && !o->labels)
		return NULL;
	attrs = json_new_object();
	if (o->tag)
		json_add(attrs, "tag", json_new_string(o->tag));
	while ((pair = strsep(&rest, ","))) {
		char *value = strchr(pair, '=');

		if (!value)
			continue;
		*value++ = '\0';
		json_add(attrs, pair, json_new_string(value));
	}
	text = xasprintf(",\"attrs\":%s", json_to_text(attrs, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(attrs);
	return text;
}

static int json_open(const struct log_options *options, struct log **ret, struct err *err)
{
	struct logfile *lf;

	if (logfile_new(&json_format, options, &lf, err) < 0)
		return -1;
	lf->attrs = make_attrs(options);
	*ret = &lf->log;
	return 0;
}

const struct log_ops log_json_ops = FILE_OPS(json_open);

/* ---- raw ------------------------------------------------------------------------------------------------------------- */

static size_t raw_put(struct logfile *lf, Stream stream, const struct timespec *now, const char *data, size_t len)
{
	size_t room = LOGFILE_OUT_BYTES - lf->used, n = len < room ? len : room;

	append(lf, data, n);
	return n;
}

static void raw_remark(struct logfile *lf, const struct timespec *now, const char *text, size_t len)
{
	if (lf->in_line[0] || lf->in_line[1])
		append(lf, "\n", 1);
	append(lf, text, len);
	append(lf, "\n", 1);
}

static const struct logfile_format raw_format = { .direct = true, .put = raw_put, .remark = raw_remark };

static int raw_open(const struct log_options *options, struct log **ret, struct err *err)
{
	struct logfile *lf;

	if (logfile_new(&raw_format, options, &lf, err) < 0)
		return -1;
	*ret = &lf->log;
	return 0;
}

const struct log_ops log_raw_ops = FILE_OPS(raw_open);
