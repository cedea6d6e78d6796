/* SPDX-License-Identifier: Apache-2.0 */
/* thole logs: what a container has written, each stream where it belongs.
 *
 * Reads the log file and the status record only: it works without a shim, for containers of another boot, and wakes nobody. Who follows asks the shim once, at the end. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

#include "client/call.h"
#include "client/command.h"
#include "client/json.h"
#include "client/logfile.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/logfmt.h"
#include "common/number.h"
#include "common/path.h"
#include "common/proc.h"
#include "common/statedir.h"

#define READ_SIZE (64 * 1024)
#define LINE_MAX_BYTES (1 << 20) /* a longer line is shown in pieces */
#define LOG_NAME "ctr.log"

/* ---- printing ---------------------------------------------------------------------------------- */

struct output {
	int fd;
	bool in_line; /* the last record of this stream was not the end of its line */
	size_t len;
	char buf[READ_SIZE];
};

struct printer {
	const struct client *cl;
	const struct log_format *format;
	bool told_maybe; /* once is enough: where files have no attributes each rotation could be it */
	bool timestamps;
	bool has_since;
	struct timespec since;
	struct output out[2]; /* stdout, stderr */
	struct output *last;  /* which one has something in its buffer */
	char *line;           /* the beginning of a line whose end is not read yet; owned */
	size_t line_len, line_room;
	bool reader_gone;
	uint64_t n_read; /* bytes of the file */
};

static void printer_release(struct printer *p)
{
	free(p->line);
}

static int flush(struct printer *p, struct output *o, struct err *err)
{
	size_t len = o->len;

	o->len = 0;
	if (len == 0 || fd_write_all(o->fd, o->buf, len, err) == 0)
		return 0;
	p->reader_gone = err_is_sys(err, EPIPE);
	return -1;
}

static int put(struct printer *p, struct output *o, const char *text, size_t len, struct err *err)
{
	/* Both may be the same terminal: keep their order. */
	if (p->last != o && p->last && flush(p, p->last, err) < 0)
		return -1;
	p->last = o;
	while (len > 0) {
		size_t n = sizeof(o->buf) - o->len;

		n = len < n ? len : n;
		memcpy(o->buf + o->len, text, n);
		o->len += n;
		text += n;
		len -= n;
		if (o->len == sizeof(o->buf) && flush(p, o, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static int print_record(struct printer *p, const struct logfmt_record *r, struct err *err)
{
	struct output *o = &p->out[r->stream == STREAM_STDERR];

	if (p->has_since && is_before(&r->time, &p->since))
		return 0;
	if (p->timestamps && !o->in_line && (put(p, o, r->stamp, r->stamp_len, err) < 0 || put(p, o, " ", 1, err) < 0))
		return -1;
	o->in_line = !r->full;
	if (put(p, o, r->text, r->text_len, err) < 0)
		return -1;
	return r->full ? put(p, o, "\n", 1, err) : 0;
}

static int print_line(struct printer *p, char *line, size_t len, struct err *err)
{
	struct logfmt_record record;

	if (p->format->parse(line, len, &record))
		return print_record(p, &record, err);
	/* Not a record: something that somebody else wrote there. */
	if (put(p, &p->out[0], line, len, err) < 0)
		return -1;
	return put(p, &p->out[0], "\n", 1, err);
}

static void keep(struct printer *p, const char *text, size_t len)
{
	if (p->line_len + len > p->line_room) {
		p->line_room = p->line_len + len + READ_SIZE;
		p->line = xrealloc(p->line, p->line_room);
	}
	memcpy(p->line + p->line_len, text, len);
	p->line_len += len;
}

static int print_kept(struct printer *p, struct err *err)
{
	size_t len = p->line_len;

	p->line_len = 0;
	return len ? print_line(p, p->line, len, err) : 0;
}

static int print_chunk(struct printer *p, char *buf, size_t len, struct err *err)
{
	if (!p->format->parse)
		return put(p, &p->out[0], buf, len, err);
	while (len > 0) {
		char *nl = memchr(buf, '\n', len);
		size_t n = nl ? (size_t)(nl - buf) : len;

		if (!nl || p->line_len > 0)
			keep(p, buf, n);
		if (nl && p->line_len == 0 && print_line(p, buf, n, err) < 0)
			return -1;
		if ((nl || p->line_len > LINE_MAX_BYTES) && print_kept(p, err) < 0)
			return -1;
		n += nl != NULL;
		buf += n;
		len -= n;
	}
	return 0;
}

static int flush_both(struct printer *p, struct err *err)
{
	return flush(p, &p->out[0], err) < 0 || flush(p, &p->out[1], err) < 0 ? -1 : 0;
}

/* Where it is missing, as far as that can be seen when stdout and stderr are one terminal. */
static int tell_missed(struct printer *p, struct logfile *f, struct err *err)
{
	const bool maybe = f->may_have_missed && !p->told_maybe;

	f->may_have_missed = false;
	if (!f->missed_files && !maybe)
		return 0;
	if (flush_both(p, err) < 0)
		return -1;
	if (f->missed_files)
		client_remark(p->cl,
			      "output is missing here: files of the log that were rotated away before they were read: "
			      "%llu",
			      (unsigned long long)f->missed_files);
	else
		client_remark(p->cl, "output may be missing here: the file that was read was rotated away, or removed");
	p->told_maybe |= maybe;
	f->missed_files = 0;
	return 0;
}

/* Print what there is. */
static int print_available(struct printer *p, struct logfile *f, struct err *err)
{
	char buf[READ_SIZE];
	ssize_t n;

	while ((n = logfile_read(f, buf, sizeof(buf), err)) > 0) {
		p->n_read += (uint64_t)n;
		if (tell_missed(p, f, err) < 0 || print_chunk(p, buf, (size_t)n, err) < 0)
			return -1;
	}
	return n < 0 || tell_missed(p, f, err) < 0 ? -1 : flush_both(p, err);
}

/* ---- following --------------------------------------------------------------------------------- */

#define AFTER_END_MS                                                                                                   \
	1000 /* how long the shim may take from the end of the process to the end of the log, or from write to write then */

#define LOOK_MS                                                                                                        \
	1000 /* how often to look whether the log's directory is another one, which inotify does not tell of a mount */

struct follower {
	const char *id;
	int watch_fd; /* inotify */
	char *log_dir;
	int log_watch; /* of that; -1: it is not there */
	dev_t log_dev;
	ino_t log_ino;
	int pidfd;       /* of the container's init; -1: has ended */
	int dir_fd;      /* its state directory; -1: there is none any more */
	bool exec;       /* it is the log of an exec'd process */
	int exec_fd;     /* its pidfd; -1: has ended */
	int64_t last_ms; /* then: when it did, or the log grew last */
	struct call end; /* to the shim, once init has ended: its answer comes when it has logged everything */
	bool all_logged; /* it has, or there is no shim any more */
};

static void follower_release(struct follower *f)
{
	fd_close(&f->watch_fd);
	free(f->log_dir);
	fd_close(&f->pidfd);
	fd_close(&f->exec_fd);
	call_release(&f->end);
}

/* What is recorded no more, or of another process, has ended. */
static void find_exec(struct follower *f, const char *name)
{
	cleanup_json json_object *state = NULL;
	cleanup_free char *pid_key = xasprintf("processes.%s.pid", name);
	cleanup_free char *start_key = xasprintf("processes.%s.startTime", name);
	json_object *pid, *start;
	struct err err;

	f->exec = true;
	f->last_ms = clock_ms();
	if (json_read_at(f->dir_fd, STATEDIR_STATE, STATEDIR_JSON_MAX, &state, &err) < 0)
		return;
	pid = json_get(state, pid_key);
	start = json_get(state, start_key);
	if (pid && start && json_object_get_int(pid) > 0 && json_object_get_uint64(start) > 0)
		proc_pidfd_open(json_object_get_int(pid), json_object_get_uint64(start), &f->exec_fd, &err);
}

/* It may be removed, moved away or mounted over, and the log goes on in what is there instead. False: it is as it was. */
static bool watch_log(struct follower *f)
{
	struct stat st = { 0 };
	bool there = stat(f->log_dir, &st) == 0;

	if (there ? f->log_watch >= 0 && st.st_dev == f->log_dev && st.st_ino == f->log_ino : f->log_watch < 0)
		return false;
	if (f->log_watch >= 0)
		inotify_rm_watch(f->watch_fd, f->log_watch);
	f->log_watch =
		there ? inotify_add_watch(f->watch_fd, f->log_dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM)
		      : -1;
	f->log_dev = st.st_dev;
	f->log_ino = st.st_ino;
	return true;
}

/* The directory, since rotation replaces the file; the record, since its change tells the end. */
static int watch_all(struct follower *f, const char *log_path, struct err *err)
{
	char *slash, status[64];

	f->log_dir = xstrdup(log_path);
	slash = strrchr(f->log_dir, '/');
	if (slash)
		slash[slash == f->log_dir] = '\0';
	f->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (f->watch_fd < 0)
		return err_sys(err, "cannot watch the log");
	if (!watch_log(f) || f->log_watch < 0)
		return err_sys(err, "cannot watch '%s'", f->log_dir);
	snprintf(status, sizeof(status), "/proc/self/fd/%d", f->dir_fd);
	if (inotify_add_watch(f->watch_fd, status, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF) <
	    0)
		return err_sys(err, "cannot watch the state directory");
	return 0;
}

/* The end of init is recorded before its streams are read to their end; with a slow reader at one of them that may be long before. */
static void ask_for_end(struct follower *f)
{
	Request req = Request_init_zero;
	struct err ignored;

	if (f->all_logged || f->end.sock >= 0)
		return;
	req.which_body = Request_wait_tag;
	req.body.wait.drained = true;
	if (call_open_running(f->id, f->dir_fd, &f->end, &ignored) == 0 &&
	    call_send(&f->end, &req, NULL, 0, &ignored) == 0)
		return;
	call_release(&f->end);
	f->all_logged = true;
}

/* Has the container ended, and has nobody anything to add? */
static bool has_ended(struct follower *f)
{
	struct status_record rec;
	struct err err;

	if (statedir_read_status(f->dir_fd, &rec, &err) < 0)
		return err.code == ERR_NOT_FOUND;
	if (f->pidfd < 0 && rec.init_pid > 0)
		proc_pidfd_open(rec.init_pid, rec.init_start_time, &f->pidfd, &err);
	if (statedir_refresh(&rec) != STATUS_STOPPED)
		return false;
	if (!rec.exit_recorded)
		return !call_shim_lives(f->dir_fd);
	ask_for_end(f);
	return f->all_logged;
}

/* Whatever it says, nothing more comes. If it was killed instead, another may have taken its place: has_ended() looks. */
static void hear_end(struct follower *f)
{
	struct wire_fds fds;
	struct err err;
	Reply reply;

	f->all_logged = call_reply(&f->end, &reply, &fds, &err) == 0 || err.code != ERR_GONE;
	if (f->all_logged)
		wire_fds_release(&fds);
	call_release(&f->end);
}

/* Wait until something happens. False: nothing did within timeout_ms (-1: for ever). */
static bool wait_event(struct follower *f, int timeout_ms)
{
	struct pollfd p[] = { { .fd = f->watch_fd, .events = POLLIN },
			      { .fd = f->pidfd, .events = POLLIN },
			      { .fd = f->exec_fd, .events = POLLIN },
			      { .fd = f->end.sock, .events = POLLIN } };
	char events[4096];
	int r;

	do
		r = poll(p, ARRAY_SIZE(p), timeout_ms);
	while (r < 0 && errno == EINTR);
	while (read(f->watch_fd, events, sizeof(events)) > 0)
		;
	/* It says so for ever; the record is what is asked from now on. */
	if (p[1].revents)
		fd_close(&f->pidfd);
	if (p[2].revents) {
		fd_close(&f->exec_fd);
		f->last_ms = clock_ms();
	}
	if (p[3].revents)
		hear_end(f);
	return r > 0;
}

/* Its end is recorded nowhere; other logs of the container may wake us all the time. */
static bool exec_is_over(const struct follower *f)
{
	return f->exec && f->exec_fd < 0 && clock_ms() - f->last_ms >= AFTER_END_MS;
}

static int follow(struct printer *p, struct logfile *log, struct follower *f, struct err *err)
{
	bool ended = false;

	for (;;) {
		bool quiet;
		uint64_t before = p->n_read;

		if (!ended)
			ended = has_ended(f);
		if (print_available(p, log, err) < 0)
			return -1;
		if (ended)
			return 0;
		if (p->n_read != before)
			f->last_ms = clock_ms();
		quiet = !wait_event(f, f->pidfd < 0 || (f->exec && f->exec_fd < 0) ? AFTER_END_MS : LOOK_MS);
		if (watch_log(f))
			continue;
		if ((quiet && f->pidfd < 0 && has_ended(f)) || exec_is_over(f))
			ended = true;
	}
}

/* ---- the command ------------------------------------------------------------------------------- */

/* Without a state directory (after a reboot) the log may still be at its usual place. */
static int usual_path(const char *id, char **ret_path, const struct err *missing, struct err *err)
{
	cleanup_free char *dir = NULL;
	char *path;

	if (client_data_dir(id, &dir, err) < 0)
		return -1;
	path = path_join(dir, LOG_NAME);
	if (access(path, F_OK) == 0) {
		*ret_path = path;
		return 0;
	}
	free(path);
	*err = *missing;
	return -1;
}

/* Where what cannot be read here is. */
static int elsewhere(const char *driver, const char *id, struct err *err)
{
	if (!strcmp(driver, "none"))
		return err_set(err, ERR_NOT_FOUND, "container '%s' keeps no log", id);
	if (!strcmp(driver, "journald"))
		return err_set(err, ERR_UNSUPPORTED,
			       "the log of container '%s' is in the journal: journalctl CONTAINER_NAME=%s shows it", id,
			       id);
	return err_set(err, ERR_UNSUPPORTED, "the log of container '%s' is in a format that is not known: %s", id,
		       driver);
}

static int recorded_path(int dir_fd, const char *id, const char *exec, char **ret_path,
			 const struct log_format **ret_format, struct err *err)
{
	cleanup_json json_object *state = NULL;
	cleanup_free char *key = exec ? xasprintf("container.execLogs.%s", exec) : xstrdup("container");
	cleanup_free char *driver_key = xasprintf("%s.log.driver", key), *path_key = xasprintf("%s.log.path", key);
	const char *driver, *path;

	if (client_read_state(id, dir_fd, &state, err) < 0)
		return err_is_sys(err, ENOENT) ? err_set(err, ERR_STATE, "container '%s' has no log yet", id) : -1;
	if (exec && (!exec[0] || exec[strspn(exec, "0123456789")] || !json_get(state, key)))
		return err_set(err, ERR_NOT_FOUND, "container '%s' has no process '%s' with a log of its own", id,
			       exec);
	driver = json_get_text(state, driver_key, "none");
	path = json_get_text(state, path_key, "");
	*ret_format = log_format_find(driver);
	if (!*ret_format)
		return elsewhere(driver, id, err);
	if (path[0] != '/')
		return err_set(err, ERR_CONFIG, "the log of container '%s' has no absolute path", id);
	*ret_path = xstrdup(path);
	return 0;
}

static int find_log(const struct client *cl, const char *id, const char *exec, int *ret_dir_fd, char **ret_path,
		    const struct log_format **ret_format, struct err *err)
{
	struct err missing;

	if (client_open_container(cl, id, NULL, ret_dir_fd, &missing) == 0)
		return recorded_path(*ret_dir_fd, id, exec, ret_path, ret_format, err);
	if (missing.code == ERR_NOT_FOUND && !exec) {
		if (usual_path(id, ret_path, &missing, err) < 0)
			return -1;
		*ret_format = log_format_guess(*ret_path);
		return 0;
	}
	*err = missing;
	return -1;
}

static int judge_options(const struct logs_options *o, struct printer *p, uint64_t *ret_tail, struct err *err)
{
	struct timespec now;

	p->timestamps = o->timestamps;
	*ret_tail = UINT64_MAX;
	if (o->tail && strcmp(o->tail, "all") != 0 && !number_u64(o->tail, UINT64_MAX - 1, ret_tail))
		return err_set(err, ERR_USAGE, "--tail is a number of lines, not '%s'", o->tail);
	p->has_since = o->since != NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	return o->since ? number_moment("--since", o->since, &now, &p->since, err) : 0;
}

static int print_log(struct printer *p, const char *id, const char *path, uint64_t tail, int dir_fd,
		     const struct logs_options *o, struct err *err)
{
	cleanup_logfile struct logfile log = LOGFILE_NONE;
	struct follower f = { .id = id,
			      .watch_fd = -1,
			      .log_watch = -1,
			      .pidfd = -1,
			      .dir_fd = dir_fd,
			      .exec_fd = -1,
			      .end = CALL_NONE };
	int r;

	if ((tail == UINT64_MAX ? logfile_open(&log, path, err) : logfile_seek_tail(&log, path, p->format, tail, err)) <
	    0)
		return -1;
	if (!o->follow || dir_fd < 0)
		return print_available(p, &log, err);
	if (o->exec)
		find_exec(&f, o->exec);
	r = watch_all(&f, path, err);
	if (r == 0)
		r = follow(p, &log, &f, err);
	follower_release(&f);
	return r;
}

static int check_format(const struct printer *p, struct err *err)
{
	if (p->format->parse || (!p->timestamps && !p->has_since))
		return 0;
	return err_set(err, ERR_USAGE, "%s: a log of driver %s has no times",
		       p->timestamps ? "--timestamps" : "--since", p->format->driver);
}

static int reopen(const struct client *cl, const struct logs_options *o, const char *id, struct err *err)
{
	Request req = Request_init_zero;

	if (o->follow || o->tail || o->since || o->timestamps || o->exec)
		return err_set(err, ERR_USAGE, "--reopen prints nothing: it goes with no other option");
	req.which_body = Request_reopen_tag;
	return call_simple(cl, id, &req, err);
}

int cmd_logs(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct logs_options *o = inv->options;
	cleanup_free char *path = NULL;
	cleanup_free struct printer *p = xcalloc(1, sizeof(*p));
	cleanup_fd int dir_fd = -1;
	uint64_t tail;
	int r;

	if (o->reopen)
		return reopen(cl, o, inv->operands[0], err);
	p->cl = cl;
	p->out[0].fd = STDOUT_FILENO;
	p->out[1].fd = STDERR_FILENO;
	if (judge_options(o, p, &tail, err) < 0 ||
	    find_log(cl, inv->operands[0], o->exec, &dir_fd, &path, &p->format, err) < 0 || check_format(p, err) < 0)
		return -1;
	/* `logs | head`: the reader has what it wanted. */
	signal(SIGPIPE, SIG_IGN);
	r = print_log(p, inv->operands[0], path, tail, dir_fd, o, err);
	if (r == 0)
		r = print_kept(p, err) < 0 || flush_both(p, err) < 0 ? -1 : 0;
	printer_release(p);
	return r < 0 && p->reader_gone ? 0 : r;
}
