/* SPDX-License-Identifier: Apache-2.0 */
/* thole checkpoints: the images of a set, verified; and thole checkpoint inspect: what is in one. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "client/checkpoint.h"
#include "client/json.h"
#include "client/set.h"
#include "common/fd.h"
#include "common/utc.h"

/* ---- one image, as JSON ---------------------------------------------------------------------------------------------------- */

static json_object *new_statistics(const struct manifest_statistics *s)
{
	json_object *o = json_new_object();

	json_add_int(o, "freezingUs", (int64_t)s->freezing_us);
	json_add_int(o, "frozenUs", (int64_t)s->frozen_us);
	json_add_int(o, "memdumpUs", (int64_t)s->memdump_us);
	json_add_int(o, "memwriteUs", (int64_t)s->memwrite_us);
	json_add_int(o, "pagesScanned", (int64_t)s->pages_scanned);
	json_add_int(o, "pagesSkipped", (int64_t)s->pages_skipped);
	json_add_int(o, "pagesWritten", (int64_t)s->pages_written);
	json_add_int(o, "sharedPagesScanned", (int64_t)s->shared_pages_scanned);
	json_add_int(o, "sharedPagesWritten", (int64_t)s->shared_pages_written);
	return o;
}

static void add_manifest(json_object *o, const struct manifest *m)
{
	char time[UTC_TEXT_SIZE];
	json_object *pre_dumps;

	utc_text_exact(m->created_ns, time);
	json_add_string(o, "id", m->id);
	json_add_string(o, "created", time);
	json_add_int(o, "size", (int64_t)m->size);
	json_add_bool(o, "running", m->running);
	json_add_string(o, "configDigest", m->config);
	json_add_string(o, "rootfs", m->rootfs);
	json_add_string(o, "capture", m->capture);
	json_add_string(o, "kernel", m->kernel);
	json_add_string(o, "architecture", m->architecture);
	json_add_string(o, "criu", m->criu);
	json_add_string(o, "thole", m->thole);
	if (m->statistics.known)
		json_add(o, "statistics", new_statistics(&m->statistics));
	if (m->n_pre_dumps == 0)
		return;
	pre_dumps = json_new_array();
	json_add(o, "preDumps", pre_dumps);
	for (size_t i = 0; i < m->n_pre_dumps; i++)
		json_append(pre_dumps, new_statistics(&m->pre_dumps[i]));
}

int checkpoint_inspect(const char *path, struct err *err)
{
	cleanup_json json_object *o = json_new_object();
	json_object *files = json_new_object();
	struct image_report r = { 0 };
	cleanup_fd int fd = -1;

	json_add(o, "files", files);
	if (path_open_directory(path, NULL, &fd, err) < 0)
		return -1;
	if (image_examine(fd, IMAGE_DIGESTS, &r, err) < 0)
		return err_add(err, "image '%s'", path);
	json_add_string(o, "name", r.m.name);
	add_manifest(o, &r.m);
	for (size_t i = 0; i < r.n; i++)
		json_add_int(files, r.v[i].name, (int64_t)r.v[i].size);
	image_report_release(&r);
	puts(json_text(o));
	return 0;
}

/* ---- a set ----------------------------------------------------------------------------------------------------------------- */

static void print_json(const struct set *s)
{
	cleanup_json json_object *all = json_new_array();

	for (size_t i = 0; i < s->n; i++) {
		const struct set_entry *e = &s->v[i];
		json_object *o = json_new_object();

		json_add_string(o, "name", e->name);
		json_add_bool(o, "latest", !strcmp(e->name, s->latest));
		json_add_bool(o, "good", e->good);
		if (e->good)
			add_manifest(o, &e->m);
		else
			json_add_string(o, "reason", e->why.text);
		json_append(all, o);
	}
	puts(json_text(all));
}

static void print_table(const struct set *s)
{
	printf("%-24s %-24s %-20s %10s  %s\n", "NAME", "CREATED", "ID", "SIZE", "STATE");
	for (size_t i = 0; i < s->n; i++) {
		const struct set_entry *e = &s->v[i];
		char time[UTC_TEXT_SIZE] = "-", size[24] = "-";

		if (e->good) {
			utc_text_exact(e->m.created_ns / 1000000000u * 1000000000u, time);
			snprintf(size, sizeof(size), "%llu KiB", (unsigned long long)(e->m.size + 1023) >> 10);
		}
		printf("%-24s %-24s %-20s %10s  %s%s\n", e->name, time, e->good ? e->m.id : "-", size,
		       e->good ? "good" : e->why.text, strcmp(e->name, s->latest) != 0 ? "" : ", latest");
	}
}

/* The directory of sets that `checkpoint --all --to DIR` makes. */
static void point_to_sets(const struct client *cl, const char *path, struct set *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].is_set)
			err_set(&s->v[i].why, ERR_CONFIG, "a set of images of its own: '%s checkpoints %s/%s'",
				cl->program, path, s->v[i].name);
}

int cmd_checkpoints(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct checkpoints_options *o = inv->options;
	struct set s cleanup_set = { 0 };
	cleanup_fd int fd = -1;

	if (path_open_directory(inv->operands[0], NULL, &fd, err) < 0 ||
	    set_read(fd, o->fast ? IMAGE_FILES : IMAGE_DIGESTS, &s, err) < 0)
		return -1;
	point_to_sets(cl, inv->operands[0], &s);
	if (o->format && !strcmp(o->format, "json"))
		print_json(&s);
	else
		print_table(&s);
	for (size_t i = 0; i < s.n; i++)
		if (!s.v[i].good)
			return 1;
	return 0;
}
