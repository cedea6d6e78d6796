/* SPDX-License-Identifier: Apache-2.0 */
/* The logs of a container's processes: opened with them, reopened on request, and their troubles told. */
#include <json-c/json.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/path.h"
#include "shim/container/container_internal.h"

/* ---- what becomes of them ------------------------------------------------------------------------------------------------- */

/* How often a loss that grows is recorded: the last figures are when the log resumes or ends. */
static const struct timeval record_after = { .tv_sec = 1 };

static void record(struct container *c)
{
	struct err err;

	if (!c->creation && state_save_logs(c, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}

static void losses_cb(evutil_socket_t fd, short what, void *arg)
{
	record(arg);
}

static void record_later(struct container *c)
{
	if (!c->losses)
		c->losses = evtimer_new(c->base, losses_cb, c);
	if (!c->losses)
		fatal("out of memory");
	if (!evtimer_pending(c->losses, NULL))
		event_add(c->losses, &record_after);
}

/* The container runs on, and its clients are still served. */
static void log_news(void *arg, const struct log *l, enum log_news news, const struct err *err)
{
	struct process *p = arg;
	struct container *c = p->c;

	switch (news) {
	case LOG_LOSES:
		record_later(c);
		return;
	case LOG_FAILS:
	case LOG_HINDERED:
		log_warn("container '%s': process %s: log driver %s: %s", c->id, p->name, l->driver->name, err->text);
		break;
	case LOG_RESUMES:
	case LOG_FREE:
		log_info("container '%s': process %s: log driver %s: it works again; %llu bytes of stdout and %llu of "
			 "stderr are lost",
			 c->id, p->name, l->driver->name, (unsigned long long)l->loss.stdout_bytes,
			 (unsigned long long)l->loss.stderr_bytes);
		break;
	}
	if (news == LOG_FAILS || news == LOG_RESUMES)
		notices_tell_log(c, p, l);
	record(c);
}

void logging_forget_losses(struct container *c)
{
	if (c->losses)
		event_free(c->losses);
	c->losses = NULL;
}

/* ---- opening and closing ---------------------------------------------------------------------------------------------------- */

int logging_plan(struct container *c, struct err *err)
{
	const struct creation *cr = c->creation;
	/* With a console socket the output goes where the master goes; what is passed on we never see. */
	bool elsewhere = cr->params.fds.console_fd >= 0 || cr->params.stdio == STDIO_PASS;
	struct log_request req = {
		.drivers = elsewhere ? "none" : cr->log_driver,
		.path = cr->log_path,
		.data_dir = cr->data_dir,
		.name = LOG_NAME_INIT,
		.id = c->id,
		.n_options = elsewhere ? 0 : cr->params.n_log_opts,
		.options = cr->params.log_opts,
	};

	return log_plans_make(&req, &c->init.log_plans, err);
}

static void keep_held(struct process *p, enum logs_held what)
{
	logs_keep_held(p->logs, p->c->dir_fd, p == &p->c->init ? "" : p->name, what);
}

int logging_open(struct process *p, struct err *err)
{
	p->logs = logs_new(log_news, p);
	for (size_t i = 0; i < p->log_plans.n; i++) {
		const struct log_plan *plan = &p->log_plans.v[i];

		if (plan->ours && path_mkdir_all(p->c->data_dir, 0700, err) < 0)
			return -1;
		if (logs_add(p->logs, plan->driver, &plan->options, err) < 0)
			return -1;
	}
	keep_held(p, LOGS_HELD_NOTHING);
	return 0;
}

void logging_continue(struct process *p)
{
	struct err err;

	p->logs = logs_new(log_news, p);
	for (size_t i = 0; i < p->log_plans.n; i++) {
		struct log_plan *plan = &p->log_plans.v[i];

		plan->options.fresh = false;
		plan->options.later = true;
		if (logs_add(p->logs, plan->driver, &plan->options, &err) < 0)
			log_warn("container '%s': log driver %s: %s", p->c->id, plan->driver->name, err.text);
	}
	keep_held(p, LOGS_HELD_READ);
}

static const Saved__Log *saved_log(const Saved__Process *s, const char *driver)
{
	for (size_t i = 0; i < s->n_logs; i++)
		if (!strcmp(s->logs[i]->driver, driver))
			return s->logs[i];
	return NULL;
}

void logging_resume(struct process *p, const Saved__Process *s)
{
	struct err err;

	p->logs = logs_new(log_news, p);
	for (size_t i = 0; i < p->log_plans.n; i++) {
		struct log_plan *plan = &p->log_plans.v[i];
		const Saved__Log *l = saved_log(s, plan->driver->name);

		plan->options.fresh = false;
		plan->options.resumed = true;
		if (!l || !plan->driver->ops)
			continue; /* the other program did not have it either */
		if (logs_add(p->logs, plan->driver, &plan->options, &err) < 0) {
			log_warn("container '%s': log driver %s: %s", p->c->id, plan->driver->name, err.text);
			continue;
		}
		logs_resume(p->logs, l);
		if (l->failing)
			record_later(p->c);
	}
	keep_held(p, LOGS_HELD_NOTED);
}

void logging_close(struct process *p)
{
	/* The relay outlives them while poststop hooks run, and trims what it writes to. */
	if (p->relay)
		relay_forget_logs(p->relay);
	logs_free(p->logs);
	p->logs = NULL;
}

int logging_begin_exec(struct process *p, const struct container_exec *params, struct err *err)
{
	bool wanted = params->log_driver && params->log_driver[0];
	cleanup_free char *name = xasprintf(LOG_NAME_EXEC "%s", p->name);
	struct log_request req = {
		.drivers = params->log_driver,
		.path = params->log_path,
		.data_dir = p->c->data_dir,
		.name = name,
		.id = p->c->id,
		.no_sync = true, /* the container runs on, and would wait for the disk with each of them */
		.n_options = params->n_log_opts,
		.options = params->log_opts,
	};

	if (!wanted && params->n_log_opts == 0 && !(params->log_path && params->log_path[0]))
		return 0;
	if (!wanted)
		return err_set(err, ERR_USAGE, "options of a log, and no log driver");
	if (params->stdio == STDIO_PASS || params->fds.console_fd >= 0)
		return err_set(err, ERR_USAGE, "there is nothing to log: what the process writes goes past the shim");
	if (params->log_path[0] && params->log_path[0] != '/')
		return err_set(err, ERR_USAGE, "log path '%s' is not absolute", params->log_path);
	if (log_plans_make(&req, &p->log_plans, err) < 0)
		return -1;
	if (p->log_plans.n == 0)
		return 0;
	p->log_setup = state_log_setup(params->log_driver, params->log_path, params->log_opts, params->n_log_opts);
	return logging_open(p, err);
}

/* Only what nobody has named. */
static void discard_files(const struct process *p)
{
	for (size_t i = 0; i < p->log_plans.n; i++)
		if (p->log_plans.v[i].ours && p->log_plans.v[i].path)
			unlink(p->log_plans.v[i].path);
}

void logging_release(struct process *p, bool discard)
{
	logging_close(p);
	if (discard)
		discard_files(p);
	log_plans_release(&p->log_plans);
	json_object_put(p->log_setup);
	p->log_setup = NULL;
}

static bool worth_syncing(const struct process *p)
{
	for (size_t i = 0; i < p->log_plans.n; i++)
		if (!p->log_plans.v[i].ours || !p->c->rec.remove_at_exit)
			return true;
	return false;
}

void logging_finish(struct process *p)
{
	const struct log *l;

	if (!p->logs)
		return;
	logs_finish(p->logs, worth_syncing(p));
	/* What was lost until the end. */
	for (size_t i = 0; (l = logs_at(p->logs, i)); i++)
		if (l->loss.failing)
			record(p->c);
}

/* ---- asking ------------------------------------------------------------------------------------------------------------------ */

int container_reopen_logs(struct container *c, struct err *err)
{
	struct process *p;
	struct err other;
	int ret = 0;

	if (c->init.logs && logs_reopen(c->init.logs, err) < 0)
		ret = -1;
	LIST_FOREACH(p, &c->execs, link)
	if (p->logs && logs_reopen(p->logs, ret < 0 ? &other : err) < 0)
		ret = -1;
	return ret < 0 ? err_add(err, "container '%s'", c->id) : 0;
}

struct logfile *container_log(struct container *c)
{
	return logs_file(c->init.logs);
}

const char *container_log_driver(struct container *c)
{
	const struct log *l = (const struct log *)logs_file(c->init.logs);

	return l ? l->driver->name : "none";
}
