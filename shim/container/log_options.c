/* SPDX-License-Identifier: Apache-2.0 */
/* --log-driver, --log-opt and --log-path: which logs a container gets. */
#include "shim/container/log_options.h"

#include <ctype.h>
#include <string.h>

#include "common/fd.h"
#include "common/number.h"
#include "common/path.h"

#define MAX_FILES 1000

/* ---- values ------------------------------------------------------------------------------------------------------------ */

static int parse_size(struct log_plan *p, const char *text, struct err *err)
{
	if (strcmp(text, "-1") != 0 && strcmp(text, "unlimited") != 0)
		return number_size("log option 'max-size'", text, &p->options.max_bytes, err);
	p->options.max_bytes = 0;
	return 0;
}

static int parse_count(struct log_plan *p, const char *text, struct err *err)
{
	uint64_t v;

	if (!number_u64(text, MAX_FILES, &v) || v < 1)
		return err_set(err, ERR_USAGE, "log option 'max-file' is a number from 1 to %d, not '%s'", MAX_FILES,
			       text);
	p->options.max_files = (unsigned int)v;
	return 0;
}

static int parse_sync(struct log_plan *p, const char *text, struct err *err)
{
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return err_set(err, ERR_USAGE, "log option 'sync' is yes or no, not '%s'", text);
	p->options.no_sync = text[0] == 'n';
	return 0;
}

static void replace(char **old, const char *text)
{
	free(*old);
	*old = xstrdup(text);
}

static int parse_path(struct log_plan *p, const char *text, struct err *err)
{
	if (text[0] != '/')
		return err_set(err, ERR_USAGE, "log path '%s' is not absolute", text);
	replace(&p->path, text);
	p->ours = false;
	return 0;
}

static int parse_socket(struct log_plan *p, const char *text, struct err *err)
{
	if (text[0] != '/')
		return err_set(err, ERR_USAGE, "log option 'socket' is an absolute path, not '%s'", text);
	replace(&p->socket, text);
	return 0;
}

/* What comes into every message must stay one line of it. */
static int check_line(const char *name, const char *text, struct err *err)
{
	if (!text[0])
		return err_set(err, ERR_USAGE, "log option '%s' is empty", name);
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			return err_set(err, ERR_USAGE, "log option '%s' has a control character in it", name);
	return 0;
}

static int parse_tag(struct log_plan *p, const char *text, struct err *err)
{
	if (check_line("tag", text, err) < 0)
		return -1;
	replace(&p->tag, text);
	return 0;
}

static int parse_labels(struct log_plan *p, const char *text, struct err *err)
{
	cleanup_free char *copy = xstrdup(text);
	char *rest = copy, *label;

	if (check_line("labels", text, err) < 0)
		return -1;
	while ((label = strsep(&rest, ",")))
		if (label[0] == '=' || !strchr(label, '='))
			return err_set(err, ERR_USAGE, "log option 'labels' is K=V,K=V: '%s' is not", label);
	replace(&p->labels, text);
	return 0;
}

static const struct {
	const char *name;
	enum log_option bit;
	int (*parse)(struct log_plan *p, const char *value, struct err *err);
} option_rows[] = {
	{ "max-size", LOG_MAX_SIZE, parse_size }, { "max-file", LOG_MAX_FILE, parse_count },
	{ "path", LOG_PATH, parse_path },         { "tag", LOG_TAG, parse_tag },
	{ "labels", LOG_LABELS, parse_labels },   { "sync", LOG_SYNC, parse_sync },
	{ "socket", LOG_SOCKET, parse_socket },
};

/* ---- options ----------------------------------------------------------------------------------------------------------- */

static bool is_named(const char *text, size_t len, const char *name)
{
	return strlen(name) == len && !memcmp(text, name, len);
}

/* "DRIVER." in front of an option: whose it is. NULL: nobody's in particular. */
static struct log_plan *addressee(struct log_plans *plans, const char **option)
{
	for (size_t i = 0; i < plans->n; i++) {
		size_t n = strlen(plans->v[i].driver->name);

		if (!strncmp(*option, plans->v[i].driver->name, n) && (*option)[n] == '.') {
			*option += n + 1;
			return &plans->v[i];
		}
	}
	return NULL;
}

static int apply_option(struct log_plans *plans, const char *option, struct err *err)
{
	const char *word = option, *value = strchr(option, '=');
	struct log_plan *only = addressee(plans, &word);
	bool taken = false;
	size_t row = 0, len;

	if (!value)
		return err_set(err, ERR_USAGE, "log option '%s' has no value", option);
	len = (size_t)(value++ - word);
	while (row < ARRAY_SIZE(option_rows) && !is_named(word, len, option_rows[row].name))
		row++;
	if (row == ARRAY_SIZE(option_rows))
		return err_set(
			err, ERR_UNSUPPORTED,
			"log option '%.*s' is not known: max-size, max-file, path, tag, labels, sync and socket are",
			(int)(value - 1 - option), option);
	for (size_t i = 0; i < plans->n; i++) {
		struct log_plan *p = &plans->v[i];

		if ((only && p != only) || !(p->driver->options & option_rows[row].bit))
			continue;
		/* A file has one path: the first log that is a file gets it. */
		if (taken && option_rows[row].bit == LOG_PATH)
			continue;
		if (option_rows[row].parse(p, value, err) < 0)
			return -1;
		taken = true;
	}
	if (!taken)
		return err_set(err, ERR_USAGE, "log option '%s' means nothing to log driver %s", option_rows[row].name,
			       only           ? only->driver->name
			       : plans->n > 0 ? plans->v[0].driver->name
					      : "none");
	return 0;
}

/* ---- drivers ----------------------------------------------------------------------------------------------------------- */

static int add_driver(struct log_plans *plans, const char *name, const struct log_request *req, struct err *err)
{
	const struct log_driver *driver = log_driver_find(name);

	if (!driver)
		return err_set(err, ERR_UNSUPPORTED, "log driver '%s' is not known: " LOG_DRIVER_NAMES " are", name);
	if (!driver->ops)
		return 0;
	for (size_t i = 0; i < plans->n; i++)
		if (plans->v[i].driver == driver)
			return err_set(err, ERR_USAGE, "log driver '%s' is named twice", name);
	plans->v[plans->n++] = (struct log_plan) {
		.driver = driver,
		.options = { .max_bytes = LOG_DEFAULT_MAX_BYTES,
			     .max_files = LOG_DEFAULT_MAX_FILES,
			     .no_sync = req->no_sync,
			     .id = req->id },
	};
	return 0;
}

static int add_drivers(struct log_plans *plans, const struct log_request *req, struct err *err)
{
	cleanup_free char *names = xstrdup(req->drivers[0] ? req->drivers : "k8s-file");
	char *rest = names, *name;

	while ((name = strsep(&rest, ",")))
		if (add_driver(plans, name, req, err) < 0)
			return -1;
	return 0;
}

static int default_paths(struct log_plans *plans, const struct log_request *req, struct err *err)
{
	bool first = true;

	for (size_t i = 0; i < plans->n; i++) {
		struct log_plan *p = &plans->v[i];

		if (!p->driver->is_file)
			continue;
		if (req->data_dir[0] != '/')
			return err_set(err, ERR_USAGE, "no directory for the log was named");
		p->path = first ? xasprintf("%s/%s.log", req->data_dir, req->name)
				: xasprintf("%s/%s.log.%s", req->data_dir, req->name, p->driver->name);
		p->ours = true;
		if (first && req->path[0] && parse_path(p, req->path, err) < 0)
			return -1;
		first = false;
	}
	return 0;
}

static int check_paths(const struct log_plans *plans, struct err *err)
{
	for (size_t i = 0; i < plans->n; i++)
		for (size_t k = 0; k < i; k++)
			if (plans->v[i].path && plans->v[k].path && !strcmp(plans->v[i].path, plans->v[k].path))
				return err_set(err, ERR_USAGE, "two logs at '%s'", plans->v[i].path);
	return 0;
}

int log_plans_make(const struct log_request *req, struct log_plans *ret, struct err *err)
{
	*ret = (struct log_plans) { .n = 0 };
	if (add_drivers(ret, req, err) < 0 || default_paths(ret, req, err) < 0)
		return -1;
	for (size_t i = 0; i < req->n_options; i++)
		if (apply_option(ret, req->options[i], err) < 0)
			return -1;
	for (size_t i = 0; i < ret->n; i++) {
		struct log_plan *p = &ret->v[i];

		p->options.path = p->path;
		p->options.fresh = p->ours;
		p->options.tag = p->tag;
		p->options.labels = p->labels;
		p->options.socket = p->socket;
	}
	return check_paths(ret, err);
}

void log_plans_release(struct log_plans *plans)
{
	for (size_t i = 0; i < plans->n; i++) {
		struct log_plan *p = &plans->v[i];

		free(p->path);
		free(p->tag);
		free(p->labels);
		free(p->socket);
	}
	plans->n = 0;
}
