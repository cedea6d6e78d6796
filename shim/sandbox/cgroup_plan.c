/* SPDX-License-Identifier: Apache-2.0 */
/* Limits as a list of writes: run, and undone.
 *
 * Runs in the shim. The values come from the config or from whoever may control the container; the kernel judges them. */
#include "shim/sandbox/cgroup_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/fd.h"

#define VALUE_MAX 65536

struct cgroup_setting *cgroup_plan_add(struct cgroup_plan *plan, const struct hierarchy *h, const char *field,
				       const char *file, const char *value, ...)
{
	struct cgroup_setting *s;
	char *text;
	va_list ap;

	va_start(ap, value);
	if (vasprintf(&text, value, ap) < 0)
		fatal("out of memory");
	va_end(ap);
	plan->v = xreallocarray(plan->v, plan->n + 1, sizeof(*plan->v));
	s = &plan->v[plan->n++];
	*s = (struct cgroup_setting) { .h = h, .field = xstrdup(field), .file = xstrdup(file), .value = text };
	return s;
}

void cgroup_plan_release(struct cgroup_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		struct cgroup_setting *s = &plan->v[i];

		free(s->field);
		free(s->file);
		free(s->value);
		free(s->reset);
		free(s->old);
	}
	free(plan->v);
	*plan = (struct cgroup_plan) { 0 };
}

/* The line of `text` that begins with the same word as `reset`; else reset itself. Caller frees. */
static char *line_of_device(const char *text, const char *reset)
{
	size_t n = strcspn(reset, " ");

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (!strncmp(line, reset, n) && line[n] == ' ')
			return strndup(line, strcspn(line, "\n"));
	return xstrdup(reset);
}

static int remember(struct cgroup_setting *s, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/%s", s->h->dir, s->file), *text = NULL;

	if (fd_read_file_at(AT_FDCWD, path, VALUE_MAX, &text, err) < 0)
		return err_add(err, "%s", s->field);
	/* The newline stays: an empty write would not reach the kernel. */
	s->old = s->reset ? line_of_device(text, s->reset) : take_ptr(text);
	return 0;
}

static int write_setting(const struct cgroup_setting *s, struct err *err)
{
	return cgroup_write(s->h, s->field, s->file, s->value, err);
}

static void swap_with_next(struct cgroup_setting *s)
{
	struct cgroup_setting first = s[0];

	s[0] = s[1];
	s[1] = first;
}

/* In reverse: each value was possible beside those that were not yet written then. */
static void undo_first(struct cgroup_plan *plan, size_t n, struct err *err)
{
	while (n-- > 0) {
		const struct cgroup_setting *s = &plan->v[n];
		struct err failed;
		size_t len = strlen(err->text);

		if (cgroup_write(s->h, s->field, s->file, s->old, &failed) < 0 && len < sizeof(err->text))
			snprintf(err->text + len, sizeof(err->text) - len, "; %s could not be set back", s->field);
	}
}

bool cgroup_plan_leaves_idle(const struct oci_resources *r)
{
	return r->cpu.idle.set && (r->cpu.idle.v == 0 || (r->cpu.shares.set && r->cpu.shares.v));
}

int cgroup_plan_run(struct cgroup_plan *plan, bool undo, struct err *err)
{
	for (size_t i = 0; undo && i < plan->n; i++)
		if (remember(&plan->v[i], err) < 0)
			return -1;
	for (size_t i = 0; i < plan->n; i++) {
		struct cgroup_setting *s = &plan->v[i];
		int r = write_setting(s, err);

		if (r < 0 && s->pair && i + 1 < plan->n && err_is_sys(err, EINVAL)) {
			swap_with_next(s);
			s[1].pair = false;
			r = write_setting(s, err);
		}
		if (r < 0) {
			if (undo)
				undo_first(plan, i, err);
			return -1;
		}
	}
	return 0;
}
