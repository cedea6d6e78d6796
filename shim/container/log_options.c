/* SPDX-License-Identifier: Apache-2.0 */
/* --log-opt K=V. */
#include "shim/container/log_options.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"

#define MAX_FILES 1000

static int parse_size(const char *text, uint64_t *ret, struct err *err)
{
	static const char units[] = "bkmg";
	const char *unit;
	char *end;
	uint64_t v;

	if (!strcmp(text, "-1") || !strcmp(text, "unlimited")) {
		*ret = 0;
		return 0;
	}
	errno = 0;
	v = strtoull(text, &end, 10);
	unit = *end ? strchr(units, tolower((unsigned char)*end)) : units;
	if (!isdigit((unsigned char)text[0]) || errno || !unit || (*end && end[1]) || v > UINT64_MAX >> 30)
		return err_set(err, ERR_USAGE, "log option 'max-size' is a size such as 10m, not '%s'", text);
	*ret = v << (10 * (unit - units));
	return 0;
}

static int parse_count(const char *text, unsigned int *ret, struct err *err)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (!isdigit((unsigned char)text[0]) || *end || v < 1 || v > MAX_FILES)
		return err_set(err, ERR_USAGE, "log option 'max-file' is a number from 1 to %d, not '%s'", MAX_FILES,
			       text);
	*ret = (unsigned int)v;
	return 0;
}

int log_options_parse(size_t n, const char *const *options, struct logfile_options *ret, struct err *err)
{
	ret->max_bytes = LOGFILE_DEFAULT_MAX_BYTES;
	ret->max_files = LOGFILE_DEFAULT_MAX_FILES;
	for (size_t i = 0; i < n; i++) {
		const char *value = strchr(options[i], '=');
		int r;

		if (!value)
			return err_set(err, ERR_USAGE, "log option '%s' has no value", options[i]);
		value++;
		if (!strncmp(options[i], "max-size=", 9))
			r = parse_size(value, &ret->max_bytes, err);
		else if (!strncmp(options[i], "max-file=", 9))
			r = parse_count(value, &ret->max_files, err);
		else
			r = err_set(err, ERR_UNSUPPORTED,
				    "log option '%.*s' is not supported: max-size and max-file are",
				    (int)(value - 1 - options[i]), options[i]);
		if (r < 0)
			return -1;
	}
	return 0;
}
