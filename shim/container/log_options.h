/* SPDX-License-Identifier: Apache-2.0 */
/* --log-opt K=V. */
#ifndef THOLE_SHIM_CONTAINER_LOG_OPTIONS_H
#define THOLE_SHIM_CONTAINER_LOG_OPTIONS_H

#include <stddef.h>

#include "common/err.h"
#include "shim/stdio/logfile.h"

/* Read the options into `ret` (max_bytes, max_files), with the defaults for what is not named: max-size=64m (0 or -1: no limit), max-file=3. ERR_USAGE
 * names the option that is unknown or has a bad value. */
int log_options_parse(size_t n, const char *const *options, struct logfile_options *ret, struct err *err);

#endif
