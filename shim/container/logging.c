/* SPDX-License-Identifier: Apache-2.0 */
/* The container's logs: opened at create, reopened on request, and their troubles told. */
#include "common/fd.h"
#include "common/log.h"
#include "common/path.h"
#include "shim/container/container_internal.h"

static void log_changed(void *arg, const struct log *l, const struct err *err)
{
	struct container *c = arg;
	struct err failed;

	/* The container runs on, and its clients are still served. */
	if (err)
		log_warn("container '%s': log driver %s: %s", c->id, l->driver->name, err->text);
	else
		log_info("container '%s': log driver %s: it works again; %llu bytes of stdout and %llu of stderr are "
			 "lost",
			 c->id, l->driver->name, (unsigned long long)l->loss.stdout_bytes,
			 (unsigned long long)l->loss.stderr_bytes);
	if (!c->creation && state_save_logs(c, &failed) < 0)
		log_warn("container '%s': %s", c->id, failed.text);
}

int logging_plan(struct container *c, struct err *err)
{
	const struct creation *cr = c->creation;
	/* With a console socket the output goes where the master goes; what is passed on we never see. */
	bool elsewhere = cr->params.fds.console_fd >= 0 || cr->params.stdio == STDIO_PASS;
	struct log_request req = {
		.drivers = elsewhere ? "none" : cr->log_driver,
		.path = cr->log_path,
		.data_dir = cr->data_dir,
		.id = c->id,
		.n_options = elsewhere ? 0 : cr->params.n_log_opts,
		.options = cr->params.log_opts,
	};

	return log_plans_make(&req, &c->log_plans, err);
}

int logging_open(struct container *c, struct err *err)
{
	c->logs = logs_new(log_changed, c);
	for (size_t i = 0; i < c->log_plans.n; i++) {
		const struct log_plan *p = &c->log_plans.v[i];

		if (p->ours && path_mkdir_all(c->data_dir, 0700, err) < 0)
			return -1;
		if (logs_add(c->logs, p->driver, &p->options, err) < 0)
			return -1;
	}
	return 0;
}

void logging_continue(struct container *c)
{
	struct err err;

	c->logs = logs_new(log_changed, c);
	for (size_t i = 0; i < c->log_plans.n; i++) {
		struct log_plan *p = &c->log_plans.v[i];

		p->options.fresh = false;
		p->options.later = true;
		if (logs_add(c->logs, p->driver, &p->options, &err) < 0)
			log_warn("container '%s': log driver %s: %s", c->id, p->driver->name, err.text);
	}
}

void logging_close(struct container *c)
{
	/* The relay outlives them while poststop hooks run, and trims what it writes to. */
	if (c->init.relay)
		relay_forget_logs(c->init.relay);
	logs_free(c->logs);
	c->logs = NULL;
}

static bool worth_syncing(const struct container *c)
{
	for (size_t i = 0; i < c->log_plans.n; i++)
		if (!c->log_plans.v[i].ours || !c->rec.remove_at_exit)
			return true;
	return false;
}

void logging_finish(struct container *c)
{
	const struct log *l;
	struct err err;

	if (!c->logs)
		return;
	logs_finish(c->logs, worth_syncing(c));
	/* What was lost until the end. */
	for (size_t i = 0; (l = logs_at(c->logs, i)); i++)
		if (l->loss.failing && state_save_logs(c, &err) < 0)
			log_warn("container '%s': %s", c->id, err.text);
}

int container_reopen_logs(struct container *c, struct err *err)
{
	if (!c->logs)
		return 0;
	if (logs_reopen(c->logs, err) < 0)
		return err_add(err, "container '%s'", c->id);
	return 0;
}

struct logfile *container_log(struct container *c)
{
	return logs_file(c->logs);
}

const char *container_log_driver(struct container *c)
{
	const struct log *l = (const struct log *)logs_file(c->logs);

	return l ? l->driver->name : "none";
}
