/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that requests have in common, filled from what the command line says. */
#include "client/fields.h"

#include <string.h>

#include "common/fd.h"
#include "common/number.h"
#include "common/path.h"

int fields_text(char *to, size_t size, const char *what, const char *from, struct err *err)
{
	if (!from)
		return 0;
	if (strlen(from) >= size)
		return err_set(err, ERR_LIMIT, "%s is longer than %zu bytes", what, size - 1);
	memcpy(to, from, strlen(from) + 1);
	return 0;
}

/* Several, however they were given, are one list. */
static int add_drivers(const struct log_fields *to, const struct opt_list *drivers, struct err *err)
{
	for (size_t i = 0; i < drivers->n; i++) {
		size_t used = strlen(to->driver);

		if (!drivers->v[i][0])
			return err_set(err, ERR_USAGE, "--log-driver needs a name");
		if (used > 0 && used + 1 < to->driver_size)
			to->driver[used++] = ',';
		if (fields_text(to->driver + used, to->driver_size - used, "--log-driver", drivers->v[i], err) < 0)
			return -1;
	}
	return 0;
}

static int add_option(const struct log_fields *to, const char *option, const char **path, struct err *err)
{
	cleanup_free char *absolute = NULL, *whole = NULL;
	const char *found = strstr(option, ".path="), *equals = strchr(option, '=');

	if (!strncmp(option, "path=", 5)) {
		if (*path)
			return err_set(err, ERR_USAGE, "the path of the log is given twice");
		*path = option + 5;
		return 0;
	}
	if (found && found < equals) {
		if (path_absolute(equals + 1, &absolute, err) < 0)
			return -1;
		whole = xasprintf("%.*s%s", (int)(equals + 1 - option), option, absolute);
		option = whole;
	}
	if (*to->n_options == to->options_max)
		return err_set(err, ERR_LIMIT, "more than %zu options --log-opt", to->options_max);
	return fields_text(to->options + (*to->n_options)++ * to->option_size, to->option_size, "--log-opt", option,
			   err);
}

int fields_logs(const struct log_flags *flags, const struct log_fields *to, struct err *err)
{
	cleanup_free char *absolute = NULL;
	const char *path = flags->path;

	for (size_t i = 0; i < flags->options->n; i++)
		if (add_option(to, flags->options->v[i], &path, err) < 0)
			return -1;
	if ((path && path_absolute(path, &absolute, err) < 0) ||
	    fields_text(to->path, to->path_size, "--log-path", absolute, err) < 0)
		return -1;
	return add_drivers(to, flags->drivers, err);
}

int fields_drain(const char *text, bool *ret_has, uint32_t *ret_ms, struct err *err)
{
	uint64_t ms;

	if (!text)
		return 0;
	if (number_duration_ms("--drain-timeout", text, &ms, err) < 0)
		return -1;
	*ret_has = true;
	*ret_ms = (uint32_t)ms; /* at most a day */
	return 0;
}
