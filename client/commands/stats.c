/* SPDX-License-Identifier: Apache-2.0 */
/* thole stats: what containers use, as a table that refreshes. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "client/call.h"
#include "client/command.h"
#include "client/json.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/number.h"
#include "common/statedir.h"

#define INTERVAL_DEFAULT_MS 1000

/* A container and what it was like at the last look. */
struct watched {
	char *id;
	struct call call;
	bool named;             /* by the caller, who is told when it is not there at the beginning */
	bool gone, failed;      /* failed: it is there, and cannot be looked at; said once */
	uint64_t cpu_ns, at_ns; /* at_ns 0: not looked at yet */
	double cpu_percent;
	uint64_t memory, pids; /* 0: unknown, since the group has no such controller: what lives uses some of both */
	uint64_t memory_limit, read, written, received, sent;
};

struct watched_list {
	size_t n;
	struct watched *v;
	bool missed; /* one that was named, or has failed */
};

static void watched_release(struct watched *w)
{
	free(w->id);
	call_release(&w->call);
}

static void list_release(struct watched_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		watched_release(&l->v[i]);
	free(l->v);
}
#define cleanup_list __attribute__((cleanup(list_release)))

/* ---- asking --------------------------------------------------------------------------------------- */

static uint64_t number_at(json_object *o, const char *path)
{
	json_object *v = json_get(o, path);

	return v ? json_object_get_uint64(v) : 0;
}

static uint64_t sum_io(json_object *data, const char *op)
{
	json_object *list = json_get(data, "blkio.ioServiceBytesRecursive");
	uint64_t sum = 0;

	for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++) {
		json_object *entry = json_object_array_get_idx(list, i);

		if (!strcmp(json_get_text(entry, "op", ""), op))
			sum += number_at(entry, "value");
	}
	return sum;
}

static uint64_t sum_network(json_object *data, const char *key)
{
	json_object *list = json_get(data, "network_interfaces");
	uint64_t sum = 0;

	for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++)
		sum += number_at(json_object_array_get_idx(list, i), key);
	return sum;
}

static void take(struct watched *w, json_object *data)
{
	uint64_t cpu = number_at(data, "cpu.usage.total"), at = clock_ns();

	if (w->at_ns && at > w->at_ns && cpu >= w->cpu_ns)
		w->cpu_percent = 100.0 * (double)(cpu - w->cpu_ns) / (double)(at - w->at_ns);
	w->cpu_ns = cpu;
	w->at_ns = at;
	w->memory = number_at(data, "memory.usage.usage");
	w->memory_limit = number_at(data, "memory.usage.limit");
	w->pids = number_at(data, "pids.current");
	w->read = sum_io(data, "Read");
	w->written = sum_io(data, "Write");
	w->received = sum_network(data, "RxBytes");
	w->sent = sum_network(data, "TxBytes");
}

static int open_call(const struct client *cl, struct watched *w, struct err *err)
{
	cleanup_fd int dir_fd = -1;

	if (client_open_container(cl, w->id, NULL, &dir_fd, err) < 0)
		return -1;
	return call_open(cl, w->id, dir_fd, CALL_SERVE, &w->call, err);
}

static int look_once(const struct client *cl, struct watched *w, struct err *err)
{
	cleanup_json json_object *data = NULL;
	cleanup_free char *text = NULL;
	Request req = Request_init_zero;

	if (w->call.sock < 0 && open_call(cl, w, err) < 0)
		return -1;
	req.which_body = Request_stats_tag;
	if (call_request_text(&w->call, &req, &text, err) < 0 || json_parse(text, "the shim's reply", &data, err) < 0)
		return -1;
	take(w, data);
	return 0;
}

/* A shim that has been killed meanwhile is followed by one that adopts the container, if that runs on. */
static int look(const struct client *cl, struct watched *w, struct err *err)
{
	bool asked = w->call.sock >= 0;

	if (look_once(cl, w, err) == 0)
		return 0;
	if (!asked || err->code != ERR_GONE)
		return -1;
	call_release(&w->call);
	return look_once(cl, w, err);
}

/* That nobody has named it, and it has ended meanwhile, is none. */
static bool is_failure(const struct client *cl, const struct watched *w, const struct err *err)
{
	cleanup_fd int dir_fd = -1;
	struct err ignored;

	return err->code != ERR_STATE && err->code != ERR_GONE &&
	       client_open_container(cl, w->id, NULL, &dir_fd, &ignored) == 0;
}

/* Those that have ended meanwhile are left out; who cannot be looked at is told of once. Returns how many are left. */
static int look_at_all(const struct client *cl, struct watched_list *l)
{
	struct err err;
	int n = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct watched *w = &l->v[i];

		if (w->gone)
			continue;
		if (look(cl, w, &err) == 0) {
			n++;
			continue;
		}
		if (w->at_ns == 0 && (w->named || is_failure(cl, w, &err))) {
			client_report(cl, &err);
			l->missed = w->failed = true;
		}
		w->gone = true;
		call_release(&w->call);
	}
	return n;
}

/* ---- which ---------------------------------------------------------------------------------------- */

static void add(struct watched_list *l, const char *id, bool named)
{
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = (struct watched) { .id = xstrdup(id), .call = CALL_NONE, .named = named };
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct watched *)a)->id, ((const struct watched *)b)->id);
}

static void drop_gone(struct watched_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].gone && !l->v[i].failed)
			watched_release(&l->v[i]);
		else
			l->v[n++] = l->v[i];
	}
	l->n = n;
}

/* All that live and are not in the list, which is in order, yet. */
static int add_living(const struct client *cl, struct watched_list *l, struct err *err)
{
	cleanup_fd int root_fd = -1;
	cleanup_dir DIR *dir = NULL;
	struct status_record rec;
	struct err ignored;
	const size_t n_old = l->n;
	struct dirent *e;
	int copy;

	if (client_open_root(cl, false, &root_fd, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	copy = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = copy < 0 ? NULL : fdopendir(copy);
	if (!dir)
		return err_sys(err, "cannot read the state directory");
	while ((e = readdir(dir))) {
		const struct watched key = { .id = e->d_name };
		enum container_status s;

		if (n_old && bsearch(&key, l->v, n_old, sizeof(*l->v), compare))
			continue;
		if (statedir_check_id(e->d_name, &ignored) < 0 ||
		    statedir_read_status_of(root_fd, e->d_name, &rec, NULL, &ignored) < 0)
			continue;
		s = statedir_refresh(&rec);
		if (s == STATUS_CREATED || s == STATUS_RUNNING || s == STATUS_PAUSED)
			add(l, e->d_name, false);
	}
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), compare);
	return 0;
}

/* ---- printing ------------------------------------------------------------------------------------- */

#define SIZE_TEXT 24

static const char *size_text(char buf[SIZE_TEXT], uint64_t v)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double d = (double)v;
	size_t i = 0;

	while (d >= 1000 && i + 1 < ARRAY_SIZE(units)) {
		d /= 1024;
		i++;
	}
	snprintf(buf, SIZE_TEXT, d < 10 && i ? "%.2f%s" : d < 100 && i ? "%.1f%s" : "%.0f%s", d, units[i]);
	return buf;
}

/* v1 says "none" by a number near 2^63, v2 by 2^64-1. */
static bool is_limited(uint64_t limit)
{
	return limit != 0 && limit < (1ull << 62);
}

static void print_row(const struct watched *w)
{
	char memory[SIZE_TEXT], limit[SIZE_TEXT], pids[SIZE_TEXT] = "-", r[SIZE_TEXT], wr[SIZE_TEXT], rx[SIZE_TEXT],
						  tx[SIZE_TEXT], of[2 * SIZE_TEXT], io[2 * SIZE_TEXT + 4],
						  net[2 * SIZE_TEXT + 4];

	snprintf(of, sizeof(of), "%s / %s", w->memory ? size_text(memory, w->memory) : "-",
		 is_limited(w->memory_limit) ? size_text(limit, w->memory_limit) : "-");
	snprintf(io, sizeof(io), "%s / %s", size_text(r, w->read), size_text(wr, w->written));
	snprintf(net, sizeof(net), "%s / %s", size_text(rx, w->received), size_text(tx, w->sent));
	if (w->pids)
		snprintf(pids, sizeof(pids), "%" PRIu64, w->pids);
	printf("%-24s %8.2f%% %-21s %6s %-21s %s\n", w->id, w->cpu_percent, of, pids, io, net);
}

static void print_table(const struct watched_list *l, bool refresh)
{
	if (refresh)
		fputs("\033[H\033[J", stdout);
	printf("%-24s %9s %-21s %6s %-21s %s\n", "ID", "CPU", "MEMORY / LIMIT", "PIDS", "READ / WRITTEN",
	       "RECEIVED / SENT");
	for (size_t i = 0; i < l->n; i++)
		if (!l->v[i].gone)
			print_row(&l->v[i]);
}

static void print_json(const struct watched_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct watched *w = &l->v[i];
		cleanup_json json_object *o = json_new_object();

		if (w->gone)
			continue;
		json_add_string(o, "id", w->id);
		json_add(o, "cpuPercent", json_new_double((double)(uint64_t)(w->cpu_percent * 100 + 0.5) / 100));
		json_add(o, "cpuNs", json_new_uint64(w->cpu_ns));
		if (w->memory)
			json_add(o, "memoryBytes", json_new_uint64(w->memory));
		if (is_limited(w->memory_limit))
			json_add(o, "memoryLimitBytes", json_new_uint64(w->memory_limit));
		if (w->pids)
			json_add(o, "pids", json_new_uint64(w->pids));
		json_add(o, "readBytes", json_new_uint64(w->read));
		json_add(o, "writtenBytes", json_new_uint64(w->written));
		json_add(o, "receivedBytes", json_new_uint64(w->received));
		json_add(o, "sentBytes", json_new_uint64(w->sent));
		puts(json_to_text(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	}
}

/* ---- the command ---------------------------------------------------------------------------------- */

int cmd_stats(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct stats_options *o = inv->options;
	bool json = o->format && !strcmp(o->format, "json");
	cleanup_list struct watched_list l = { 0 };
	uint64_t interval_ms = INTERVAL_DEFAULT_MS;
	int n;

	if (o->interval && number_duration_ms("--interval", o->interval, &interval_ms, err) < 0)
		return -1;
	if (interval_ms == 0)
		return err_set(err, ERR_USAGE, "--interval must be at least 1ms");
	for (int i = 0; i < inv->n; i++) {
		if (statedir_check_id(inv->operands[i], err) < 0)
			return -1;
		add(&l, inv->operands[i], true);
	}
	if (inv->n == 0 && add_living(cl, &l, err) < 0)
		return -1;
	/* The first look is only where the processor time is counted from. */
	n = look_at_all(cl, &l);
	if (n == 0 && l.missed)
		return 1;
	for (;;) {
		poll(NULL, 0, (int)interval_ms);
		drop_gone(&l);
		if (inv->n == 0 && !o->no_stream && add_living(cl, &l, err) < 0)
			return -1;
		n = look_at_all(cl, &l);
		if (json)
			print_json(&l);
		else
			print_table(&l, !o->no_stream && isatty(STDOUT_FILENO));
		if (fflush(stdout) != 0)
			return err_sys(err, "cannot write to stdout");
		if (o->no_stream || n == 0)
			return l.missed;
	}
}
