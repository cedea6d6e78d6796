/* SPDX-License-Identifier: Apache-2.0 */
/* Tables that say which member of a JSON object goes into which member of a struct, and the readers that they name. */
#ifndef THOLE_SHIM_OCI_FIELD_H
#define THOLE_SHIM_OCI_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "shim/oci/config.h"
#include "shim/oci/json.h"

#define OCI_LIST_MAX 10000 /* entries of one list */

/* Where in the document we are: a chain on the C stack, written out only when something is wrong. */
struct at {
	const struct at *up; /* NULL: the document itself */
	const char *key;     /* NULL: an entry of a list */
	size_t index;
};

/* Read `v` (never NULL) into the memory at `out`. arg is the row's. On failure `out` may be half filled; what it owns is then still
 * freed by oci_config_free. */
typedef int reader_fn(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err);

struct row {
	const char *name;
	reader_fn *read;
	size_t offset; /* added to the struct's address */
	const void *arg;
	bool required;
};

#define ROW(n, r, o, ...)                                                                                              \
	{                                                                                                              \
		.name = (n), .read = (r), .offset = (o), __VA_ARGS__                                                   \
	}

struct table {
	size_t n;
	const struct row *rows;
};

#define TABLE(r)                                                                                                       \
	{                                                                                                              \
		sizeof(r) / sizeof((r)[0]), (r)                                                                        \
	}

/* A list: `size_t n` at the row's offset, with the pointer to the entries right behind it. */
struct list {
	size_t size; /* of one entry; 0: nothing is allocated, every entry is read into the struct at the row's offset */
	reader_fn *read; /* of one entry */
	const void *arg;
	size_t max; /* 0: OCI_LIST_MAX */
};

#define LIST(s, r, ...)                                                                                                \
	{                                                                                                              \
		.size = (s), .read = (r), __VA_ARGS__                                                                  \
	}

/* A struct with a bool that says whether it was there. The row's offset is 0, these count from the row's struct. */
struct present {
	size_t flag, body;
	const struct table *table;
};

/* Two members `size_t N; TYPE *V;` that follow one another, as read_list wants them. */
#define ASSERT_LIST(type, n, v)                                                                                        \
	_Static_assert(offsetof(type, v) == offsetof(type, n) + sizeof(size_t), "a list is a count and a pointer")

/* Fill err with "PATH: TEXT". Always returns -1. */
int refuse(const struct at *at, struct err *err, ErrCode code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Readers, and what they fill. */
/* clang-format off */
reader_fn read_bool;    /* bool */
reader_fn read_string;  /* char *, owned; NULL when "" */
reader_fn read_text;    /* char *, owned, never "" */
reader_fn read_path;    /* char *, owned, absolute and clean */
reader_fn read_strings; /* struct oci_strings */
reader_fn read_paths;   /* struct oci_strings, all absolute */
reader_fn read_env;     /* struct oci_strings, all NAME=VALUE */
reader_fn read_i64;     /* struct oci_i64 */
reader_fn read_u64;     /* struct oci_u64 */
reader_fn read_id;      /* uid_t or gid_t */
reader_fn read_object;  /* a struct, by the rows of the struct table at arg */
reader_fn read_present; /* a struct that says whether it was there, by the struct present at arg */
reader_fn read_filled;  /* the same, but {} is as good as nothing */
reader_fn read_list;    /* a count and a pointer, by the struct list at arg */

/* Fields that are known and not done: nothing in them is fine (null, "", [], {}), anything else is refused. */
reader_fn refuse_not_done;
reader_fn refuse_other_platform;
reader_fn refuse_present_platform; /* whatever is in it */
/* clang-format on */

/* For readers of their own: the kinds of a value, checked. */
int want_string(const struct at *at, struct json_object *v, const char **ret_text,
		struct err *err); /* borrowed from v */
int read_pairs(const struct at *at, struct json_object *v, struct oci_strings *keys, struct oci_strings *values,
	       struct err *err); /* an object of strings, as two lists */
int want_object(const struct at *at, struct json_object *v, struct err *err);
int want_i64(const struct at *at, struct json_object *v, int64_t min, int64_t max, int64_t *ret_n, struct err *err);
int want_u64(const struct at *at, struct json_object *v, uint64_t max, uint64_t *ret_n, struct err *err);

#endif
