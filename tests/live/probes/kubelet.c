/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet LOG STOP: follows a k8s-file log as kubelet's ReadLogs does, and writes the texts of its records to stdout and stderr; ends at the log's end once STOP is there.
 *
 * It reads to the end of the file and waits for an event in the directory. That the log was written to makes it read on; that a file of its name came makes it open that, without
 * another look at the old one: what was not announced before is lost to it. */
#include <libgen.h>
#include <limits.h>
#include <sys/inotify.h>

#include "tests/live/probes/probe.h"

#define LOOK_MS 1000 /* it looks again without an event, too */

struct follower {
	const char *path, *name, *stop;
	int watch;
	FILE *log;
	char *line;
	size_t size;
	char events[64 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	ssize_t at, len;
};

static void open_log(struct follower *f)
{
	if (f->log)
		fclose(f->log);
	f->log = fopen(f->path, "r");
	if (!f->log)
		probe_die("open %s", f->path);
}

/* "TIME STREAM TAG TEXT" */
static void show(char *line, size_t len)
{
	char *stream = memchr(line, ' ', len), *tag = stream ? strchr(stream + 1, ' ') : NULL;
	FILE *to;

	if (!tag || (size_t)(tag + 3 - line) > len || (tag[1] != 'F' && tag[1] != 'P') || tag[2] != ' ') {
		fprintf(stderr, "no record: %s", line);
		exit(PROBE_FAILED);
	}
	to = !strncmp(stream + 1, "stderr ", 7) ? stderr : stdout;
	fwrite(tag + 3, 1, len - (size_t)(tag + 3 - line) - (tag[1] == 'P'), to);
	fflush(to);
}

/* Whole lines up to the end of the file; half a line is read again later. */
static void read_on(struct follower *f)
{
	for (;;) {
		long start = ftell(f->log);
		ssize_t n = getline(&f->line, &f->size, f->log);

		if (n > 0 && f->line[n - 1] == '\n') {
			show(f->line, (size_t)n);
			continue;
		}
		clearerr(f->log);
		if (fseek(f->log, start, SEEK_SET) < 0)
			probe_die("seek");
		return;
	}
}

/* The next event that is about the log: IN_MODIFY, IN_CREATE for a new file of its name, or 0 after a while without one. */
static uint32_t next_event(struct follower *f)
{
	for (;;) {
		const struct inotify_event *e;

		if (f->at >= f->len) {
			struct pollfd p = { .fd = f->watch, .events = POLLIN };

			if (poll(&p, 1, LOOK_MS) <= 0)
				return 0;
			f->len = read(f->watch, f->events, sizeof(f->events));
			f->at = 0;
			if (f->len <= 0)
				probe_die("inotify");
		}
		e = (const void *)(f->events + f->at);
		f->at += (ssize_t)(sizeof(*e) + e->len);
		if (!e->len || strcmp(e->name, f->name) != 0)
			continue;
		if (e->mask & (IN_CREATE | IN_MOVED_TO))
			return IN_CREATE;
		if (e->mask & IN_MODIFY)
			return IN_MODIFY;
	}
}

int main(int argc, char **argv)
{
	static struct follower f;
	char *copy, *other;

	if (argc != 3)
		return PROBE_FAILED;
	f.path = argv[1];
	f.stop = argv[2];
	copy = strdup(f.path);
	other = strdup(f.path);
	f.name = basename(other);
	f.watch = inotify_init1(IN_CLOEXEC);
	if (f.watch < 0 || inotify_add_watch(f.watch, dirname(copy), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		probe_die("watch %s", copy);
	open_log(&f);
	for (;;) {
		bool last = access(f.stop, F_OK) == 0;
		uint32_t event;

		read_on(&f);
		event = next_event(&f);
		if (event == IN_CREATE)
			open_log(&f);
		else if (!event && last)
			return 0;
	}
}
