/* SPDX-License-Identifier: Apache-2.0 */
/* Where the container's output is kept: the drivers, and the list of a container's logs. */
#include "shim/stdio/log.h"

#include <stdio.h>
#include <string.h>

#include "common/fd.h"
#include "shim/stdio/logfile.h"
#include "shim/stdio/saved.h"

#define FILE_OPTIONS (LOG_PATH | LOG_MAX_SIZE | LOG_MAX_FILE | LOG_SYNC)

static const struct log_driver drivers[] = {
	{ "k8s-file", FILE_OPTIONS, true, &log_k8s_ops },
	{ "json-file", FILE_OPTIONS | LOG_TAG | LOG_LABELS, true, &log_json_ops },
	{ "raw", FILE_OPTIONS, true, &log_raw_ops },
	{ "journald", LOG_TAG | LOG_LABELS | LOG_SOCKET, false, &log_journal_ops },
	{ "none", 0, false, NULL },
};

const struct log_driver *log_driver_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (!strcmp(drivers[i].name, name))
			return &drivers[i];
	return NULL;
}

/* ---- one ------------------------------------------------------------------------------------------------------------- */

void log_lost(struct log *l, Stream stream, uint64_t bytes, const struct err *err)
{
	*(stream == STREAM_STDERR ? &l->loss.stderr_bytes : &l->loss.stdout_bytes) += bytes;
	l->loss.untold += bytes;
	l->loss.failing = true;
	l->loss.sys_errno = err->sys_errno;
	snprintf(l->loss.reason, sizeof(l->loss.reason), "%s", err->sys_errno ? strerror(err->sys_errno) : err->text);
}

void log_resumed(struct log *l)
{
	l->loss.failing = false;
	l->loss.untold = 0;
}

size_t log_remark(const struct log *l, char buf[LOG_REMARK_MAX])
{
	int n = snprintf(buf, LOG_REMARK_MAX, "thole: %llu bytes of output are missing from the log: %s",
			 (unsigned long long)l->loss.untold, l->loss.reason);

	return (size_t)n < LOG_REMARK_MAX ? (size_t)n : LOG_REMARK_MAX - 1;
}

/* ---- all ------------------------------------------------------------------------------------------------------------- */

struct logs {
	struct log *v[LOG_DRIVERS_MAX];
	size_t n;
	struct log_mark *marks; /* borrowed; NULL: nobody wants to know */
	struct held held;
	log_news_cb *news_cb;
	void *arg;
};

struct logs *logs_new(log_news_cb *news_cb, void *arg)
{
	struct logs *logs = xcalloc(1, sizeof(*logs));

	logs->news_cb = news_cb;
	logs->arg = arg;
	return logs;
}

void logs_free(struct logs *logs)
{
	if (!logs)
		return;
	for (size_t i = 0; i < logs->n; i++)
		logs->v[i]->driver->ops->free(logs->v[i]);
	held_release(&logs->held);
	free(logs);
}

int logs_add(struct logs *logs, const struct log_driver *driver, const struct log_options *options, struct err *err)
{
	struct log *l;

	if (logs->n == ARRAY_SIZE(logs->v))
		return err_set(err, ERR_LIMIT, "more than %d logs", LOG_DRIVERS_MAX);
	if (driver->ops->open(options, &l, err) < 0)
		return -1;
	l->driver = driver;
	logs->v[logs->n++] = l;
	return 0;
}

static bool holds(const struct log *l)
{
	return l->driver->ops->held != NULL;
}

/* The same whichever of them another shim has. */
static size_t place_of(const struct log *l)
{
	return (size_t)(l->driver - drivers);
}

static void note_held(struct logs *logs, const struct log *l, Stream stream)
{
	struct held_text t;

	if (!holds(l))
		return;
	t = l->driver->ops->held(l, stream);
	held_note(&logs->held, place_of(l), stream == STREAM_STDERR, &t);
}

static void read_held(struct logs *logs, struct log *l, size_t stream)
{
	cleanup_free char *buf = xmalloc(HELD_MAX);
	struct held_text t;

	if (holds(l) && held_find(&logs->held, place_of(l), stream, buf, &t))
		l->driver->ops->hold(l, log_stream_at(stream), &t);
}

void logs_keep_held(struct logs *logs, int dir_fd, const char *process, enum logs_held what)
{
	held_init(&logs->held, dir_fd, process);
	if (what == LOGS_HELD_NOTED)
		held_drop(&logs->held);
	for (size_t i = 0; what != LOGS_HELD_NOTHING && i < logs->n; i++)
		for (size_t s = 0; s < HELD_STREAMS; s++)
			if (what == LOGS_HELD_READ)
				read_held(logs, logs->v[i], s);
			else
				note_held(logs, logs->v[i], log_stream_at(s));
}

void logs_lost_before(struct logs *logs, const char *driver, const struct log_loss *loss)
{
	for (size_t i = 0; i < logs->n; i++)
		if (!strcmp(logs->v[i]->driver->name, driver)) {
			logs->v[i]->loss = *loss;
			logs->v[i]->in_trouble = logs->v[i]->losing = loss->failing; /* that was reported */
		}
}

static void tell(const struct logs *logs, struct log *l, const struct err *err)
{
	bool trouble = err != NULL, losing = l->loss.failing, was_losing = l->losing, was_in_trouble = l->in_trouble;
	enum log_news news;

	l->in_trouble = trouble;
	l->losing = losing;
	if (losing != was_losing)
		news = losing ? LOG_FAILS : LOG_RESUMES;
	else if (losing && trouble)
		news = LOG_LOSES;
	else if (trouble != was_in_trouble)
		news = trouble ? LOG_HINDERED : LOG_FREE;
	else
		return;
	if (logs->news_cb)
		logs->news_cb(logs->arg, l, news, err);
}

static void write_one(struct logs *logs, struct log *l, Stream stream, const struct timespec *now, const char *data,
		      size_t len)
{
	struct err err;
	int r = l->driver->ops->write(l, stream, now, data, len, &err);

	tell(logs, l, r < 0 ? &err : NULL);
}

void logs_write(struct logs *logs, Stream stream, const char *data, size_t len)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = 0; i < logs->n; i++) {
		write_one(logs, logs->v[i], stream, &now, data, len);
		note_held(logs, logs->v[i], stream);
		if (logs->marks)
			*(volatile uint8_t *)&logs->marks[i].done = 1;
	}
}

void logs_mark(struct logs *logs, struct log_mark *marks)
{
	logs->marks = marks;
	for (size_t i = 0; marks && i < logs->n; i++) {
		const struct log_ops *ops = logs->v[i]->driver->ops;

		marks[i].done = 0;
		if (ops->mark)
			ops->mark(logs->v[i], &marks[i]);
	}
}

void logs_write_again(struct logs *logs, const struct log_mark *marks, Stream stream, const char *data, size_t len)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = 0; i < logs->n; i++) {
		struct log *l = logs->v[i];

		if (marks[i].done || (l->driver->ops->go_back && !l->driver->ops->go_back(l, &marks[i])))
			continue;
		write_one(logs, l, stream, &now, data, len);
		note_held(logs, l, stream);
	}
}

int logs_reopen(struct logs *logs, struct err *err)
{
	struct err other;
	int ret = 0;

	for (size_t i = 0; i < logs->n; i++)
		if (logs->v[i]->driver->ops->reopen(logs->v[i], ret < 0 ? &other : err) < 0)
			ret = -1;
	return ret;
}

void logs_finish(struct logs *logs, bool sync)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = 0; i < logs->n; i++) {
		struct log *l = logs->v[i];
		uint64_t lost = l->loss.stdout_bytes + l->loss.stderr_bytes;
		bool failed = l->loss.failing;
		struct err why;

		l->driver->ops->finish(l, &now);
		if (failed && !l->loss.failing)
			tell(logs, l, NULL);
		else if (l->loss.stdout_bytes + l->loss.stderr_bytes > lost) {
			err_set(&why, ERR_SYS, "%s", l->loss.reason);
			tell(logs, l, &why);
		}
		if (sync)
			l->driver->ops->sync(l);
	}
	held_drop(&logs->held);
}

void logs_trim(struct logs *logs)
{
	for (size_t i = 0; i < logs->n; i++)
		logs->v[i]->driver->ops->trim(logs->v[i]);
}

bool logs_empty(const struct logs *logs)
{
	return !logs || logs->n == 0;
}

const struct log *logs_at(const struct logs *logs, size_t i)
{
	return i < logs->n ? logs->v[i] : NULL;
}

struct logfile *logs_file(const struct logs *logs)
{
	for (size_t i = 0; logs && i < logs->n; i++)
		if (logs->v[i]->driver->is_file)
			return (struct logfile *)logs->v[i];
	return NULL;
}

/* ---- from one program to the next ------------------------------------------------------------------------------------ */

Saved__Log *logs_save(const struct logs *logs, size_t i)
{
	const struct log *l = logs ? logs_at(logs, i) : NULL;
	Saved__Log *s;

	if (!l)
		return NULL;
	s = saved_new(Saved__Log, log);
	s->driver = xstrdup(l->driver->name);
	s->stdout_lost = l->loss.stdout_bytes;
	s->stderr_lost = l->loss.stderr_bytes;
	s->untold = l->loss.untold;
	s->failing = l->loss.failing;
	s->sys_errno = (uint32_t)l->loss.sys_errno;
	s->reason = xstrdup(l->loss.reason);
	s->in_trouble = l->in_trouble;
	s->losing = l->losing;
	l->driver->ops->save(l, s);
	return s;
}

void logs_resume(struct logs *logs, const Saved__Log *s)
{
	struct log *l = logs->v[logs->n - 1];

	l->loss.stdout_bytes = s->stdout_lost;
	l->loss.stderr_bytes = s->stderr_lost;
	l->loss.untold = s->untold;
	l->loss.failing = s->failing;
	l->loss.sys_errno = (int)s->sys_errno;
	snprintf(l->loss.reason, sizeof(l->loss.reason), "%s", s->reason);
	l->in_trouble = s->in_trouble;
	l->losing = s->losing;
	l->driver->ops->resume(l, s);
}
