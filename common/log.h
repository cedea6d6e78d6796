/* SPDX-License-Identifier: Apache-2.0 */
/* What the program says beside its answers: --log FILE, --log-format text|json, --debug.
 *
 * Low code returns errors and logs nothing; only the top of each program reports. The one exception to "no file-level
 * state": a process has one log, as it has one stderr. */
#ifndef THOLE_COMMON_LOG_H
#define THOLE_COMMON_LOG_H

#include <stdbool.h>

#include "common/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* fd is borrowed and must stay open (-1: say nothing). Lines up to level `max` are written with one
 * write(2) each, of at most 4096 bytes; a longer text is cut off. Times are UTC.
 * text:  time="2026-11-23T20:30:00Z" level=error msg="..."   (as runc writes to a --log file)
 * json:  {"level":"error","msg":"...","time":"2026-11-23T20:30:00Z"}
 * In both, msg is quoted as a JSON string. What cannot be written is lost without a word. */
void log_init(int fd, enum log_format format, enum log_level max);
int log_fd(void);
bool log_wants(enum log_level level);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
