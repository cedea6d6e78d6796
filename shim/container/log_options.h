/* SPDX-License-Identifier: Apache-2.0 */
/* --log-driver, --log-opt and --log-path: which logs a container gets. */
#ifndef THOLE_SHIM_CONTAINER_LOG_OPTIONS_H
#define THOLE_SHIM_CONTAINER_LOG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "shim/stdio/log.h"

/* One log that is asked for. */
struct log_plan {
	const struct log_driver *driver;
	char *path; /* of a file; else NULL */
	bool ours;  /* at its default path: removed with the container */
	char *tag, *labels, *socket;
	struct log_options options; /* path, tag, labels and socket are those above */
};

struct log_plans {
	size_t n;
	struct log_plan v[LOG_DRIVERS_MAX];
};

#define LOG_NAME_INIT "ctr"
#define LOG_NAME_EXEC "exec-" /* and the number that is its name */

struct log_request {
	const char *drivers; /* separated by commas; "": k8s-file */
	const char *
		path; /* of the first log that is a file; "": DATA_DIR/NAME.log. The others': DATA_DIR/NAME.log.DRIVER */
	const char *data_dir; /* absolute */
	const char *name;     /* of the files there, without ".log": LOG_NAME_INIT */
	const char *id;       /* borrowed by the plans */
	bool no_sync;         /* unless it is asked for */
	size_t n_options;
	const char *const *options; /* "K=V" for every driver that takes it, "DRIVER.K=V" for one */
};

/* ret is the caller's to release, also on failure. ERR_USAGE and ERR_UNSUPPORTED name the driver or option that is unknown, has no meaning for any
 * of the drivers, or has a bad value. */
int log_plans_make(const struct log_request *req, struct log_plans *ret, struct err *err);

/* Leaves none. */
void log_plans_release(struct log_plans *plans);

#endif
