/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that requests have in common, filled from what the command line says. */
#ifndef THOLE_CLIENT_FIELDS_H
#define THOLE_CLIENT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/options.h"
#include "common/err.h"
#include "proto/control.pb.h"

/* `from` (NULL: nothing) into a field of `size` bytes. ERR_LIMIT names `what`. */
int fields_text(char *to, size_t size, const char *what, const char *from, struct err *err);

/* What is said of a process's logs. */
struct log_flags {
	const struct opt_list *drivers, *options; /* --log-driver, --log-opt */
	const char *path;                         /* --log-path */
};

/* Where that goes: log_driver, log_path and log_opt of a Create or an Exec. */
struct log_fields {
	char *driver, *path, *options;
	size_t driver_size, path_size, option_size, options_max;
	pb_size_t *n_options;
};
#define LOG_FIELDS(m)                                                                                                  \
	((struct log_fields) { (m)->log_driver, (m)->log_path, (m)->log_opt[0], sizeof((m)->log_driver),               \
			       sizeof((m)->log_path), sizeof((m)->log_opt[0]),                                         \
			       sizeof((m)->log_opt) / sizeof((m)->log_opt[0]), &(m)->log_opt_count })

/* Paths become absolute: the shim has another current directory. ERR_USAGE, ERR_LIMIT. */
int fields_logs(const struct log_flags *flags, const struct log_fields *to, struct err *err);

/* --drain-timeout; NULL: it was not given. */
int fields_drain(const char *text, bool *ret_has, uint32_t *ret_ms, struct err *err);

#endif
