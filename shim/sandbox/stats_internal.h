/* SPDX-License-Identifier: Apache-2.0 */
/* What stats.c, stats_v1.c and stats_v2.c share: reading the kernel's small files into JSON. */
#ifndef THOLE_SHIM_SANDBOX_STATS_INTERNAL_H
#define THOLE_SHIM_SANDBOX_STATS_INTERNAL_H

#include <json-c/json.h>

#include "shim/sandbox/cgroup_internal.h"
#include "shim/sandbox/stats.h"

/* The whole file; NULL when it is not there. `h` may be NULL. Caller frees. */
char *stats_text(const struct hierarchy *h, const char *file);

/* The number in it, 2^64-1 for "max", 0 when it is not there. */
uint64_t stats_number(const struct hierarchy *h, const char *file);

/* The number behind "KEY " at the beginning of a line; 0 when there is none. */
uint64_t stats_value(const char *text, const char *key);

/* A new object in `o`; borrowed. */
struct json_object *stats_object(struct json_object *o, const char *key);

void stats_add(struct json_object *o, const char *key, uint64_t v);
void stats_add_nonzero(struct json_object *o, const char *key, uint64_t v); /* absent when 0 */

/* Every "KEY NUMBER" line of text. */
void stats_add_pairs(struct json_object *o, const char *text);

/* { "limit", "usage", "max", "failcnt" } */
void stats_add_entry(struct json_object *memory, const char *key, uint64_t limit, uint64_t usage, uint64_t max,
		     uint64_t failcnt);

/* One { "major", "minor", "op", "value" } for the list at `key`, which is made when it is missing. */
void stats_add_io(struct json_object *blkio, const char *key, unsigned int major, unsigned int minor, const char *op,
		  uint64_t value);

/* Numbers of a kernel list such as "0-2,7", as an array at `key`; absent when there are none. */
void stats_add_list(struct json_object *o, const char *key, const char *list);

/* Call each_cb with the SIZE ("2MB") of every file hugetlb.SIZE<suffix>. */
void stats_each_page_size(const struct hierarchy *h, const char *suffix,
			  void (*each_cb)(const struct hierarchy *h, const char *size, void *arg), void *arg);

void stats_v1(const struct cgroup *cg, struct json_object *data);
void stats_v2(const struct cgroup *cg, struct json_object *data);

#endif
