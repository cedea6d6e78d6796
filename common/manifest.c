/* SPDX-License-Identifier: Apache-2.0 */
/* What an image of a set says of itself: manifest.json.
 *
 * Read by a process that has given up its privileges (client/image.c) or by the shim that has just written it. Everything in the text is judged: kinds, lengths, names. */
#include "common/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/json.h"

#define FORMAT 1
#define FORMAT_PARENTS 2 /* of an image with pre-dumps: who does not look into "parent" is not to take it for whole */
#define DIGEST_AT "\"sha256\":\"" /* of the manifest itself, its first member */
#define DIGEST_WITHIN 16
#define DEPTH_MAX 8

void manifest_release(struct manifest *m)
{
	for (size_t i = 0; i < m->n_open; i++)
		free(m->open[i].path);
	free(m->open);
	free(m->files);
	*m = (struct manifest) { 0 };
}

bool manifest_is_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-";
	size_t len = strlen(name);

	return len > 0 && len < MANIFEST_NAME_MAX && name[0] != '.' && name[0] != '-' && strspn(name, allowed) == len;
}

bool manifest_is_image_name(const char *name)
{
	/* A set is criu's work directory, too; and with a manifest it would be an image itself. */
	static const char *const taken[] = {
		SET_LATEST,       MANIFEST_FILE,       "dump.log",   "pre-dump.log",  "restore.log",
		"lazy-pages.log", "lazy-pages.socket", "stats-dump", "stats-restore",
	};

	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		if (!strcmp(name, taken[i]))
			return false;
	return manifest_is_name(name);
}

bool manifest_is_path(const char *path)
{
	static const char parent[] = MANIFEST_PARENT "/";
	const char *name = path;

	for (size_t n = 0; n < MANIFEST_PARENTS_MAX && !strncmp(name, parent, strlen(parent)); n++)
		name += strlen(parent);
	return strlen(path) < MANIFEST_NAME_MAX && manifest_is_name(name);
}

int manifest_open_parent(int dir_fd, int *ret_fd, struct err *err)
{
	*ret_fd = openat(dir_fd, MANIFEST_PARENT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd >= 0)
		return 1;
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return 0;
	return err_sys(err, "cannot open '" MANIFEST_PARENT "' of an image");
}

const struct manifest_file *manifest_find(const struct manifest *m, const char *name)
{
	for (size_t i = 0; i < m->n_files; i++)
		if (!strcmp(m->files[i].name, name))
			return &m->files[i];
	return NULL;
}

void manifest_add_file(struct manifest *m, const struct manifest_file *f)
{
	m->files = xreallocarray(m->files, m->n_files + 1, sizeof(*m->files));
	m->files[m->n_files++] = *f;
	m->size += f->size;
}

void manifest_add_open(struct manifest *m, const struct manifest_open_file *f)
{
	m->open = xreallocarray(m->open, m->n_open + 1, sizeof(*m->open));
	m->open[m->n_open] = *f;
	m->open[m->n_open++].path = xstrdup(f->path);
}

/* Two lists: those who do not know the second one would want its files to be as they were. Images of before it have none. */
#define OPEN_FILES "openFiles"
#define APPENDED_FILES "appendedFiles"

/* ---- the members ----------------------------------------------------------------------------------------------------------- */

enum kind { TEXT, NUMBER, FLAG };

struct member {
	const char *name;
	enum kind kind;
	size_t offset, size; /* size: of a text */
};

#define IN(type, field) offsetof(struct type, field), sizeof(((struct type *)0)->field)
#define M(field) IN(manifest, field)
#define S(field) IN(manifest_statistics, field)

static const struct member members[] = {
	{ "id", TEXT, M(id) },
	{ "name", TEXT, M(name) },
	{ "createdNs", NUMBER, M(created_ns) },
	{ "configDigest", TEXT, M(config) },
	{ "rootfs", TEXT, M(rootfs) },
	{ "rootfsDevice", NUMBER, M(rootfs_device) },
	{ "rootfsInode", NUMBER, M(rootfs_inode) },
	{ "kernel", TEXT, M(kernel) },
	{ "architecture", TEXT, M(architecture) },
	{ "criu", TEXT, M(criu) },
	{ "thole", TEXT, M(thole) },
	{ "running", FLAG, M(running) },
	{ "tcpEstablished", FLAG, M(tcp_established) },
	{ "tcpClose", FLAG, M(tcp_close) },
	{ "shellJob", FLAG, M(shell_job) },
	{ "extUnixSk", FLAG, M(ext_unix_sk) },
	{ "fileLocks", FLAG, M(file_locks) },
	{ "capture", TEXT, M(capture) },
	{ "size", NUMBER, M(size) },
};

static const struct member statistics[] = {
	{ "freezingUs", NUMBER, S(freezing_us) },
	{ "frozenUs", NUMBER, S(frozen_us) },
	{ "memdumpUs", NUMBER, S(memdump_us) },
	{ "memwriteUs", NUMBER, S(memwrite_us) },
	{ "pagesScanned", NUMBER, S(pages_scanned) },
	{ "pagesSkipped", NUMBER, S(pages_skipped) },
	{ "pagesWritten", NUMBER, S(pages_written) },
	{ "sharedPagesScanned", NUMBER, S(shared_pages_scanned) },
	{ "sharedPagesWritten", NUMBER, S(shared_pages_written) },
};

/* ---- writing --------------------------------------------------------------------------------------------------------------- */

static void put_members(struct json_object *o, const void *from, const struct member *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *at = (const char *)from + rows[i].offset;
		struct json_object *v = NULL;

		if (rows[i].kind == TEXT)
			v = json_new_string(at);
		else if (rows[i].kind == NUMBER)
			v = json_new_uint64(*(const uint64_t *)(const void *)at);
		else
			v = json_new_boolean(*(const bool *)at);
		json_add(o, rows[i].name, v);
	}
}

static struct json_object *new_files(const struct manifest *m)
{
	struct json_object *files = json_new_object();

	for (size_t i = 0; i < m->n_files; i++) {
		struct json_object *o = json_new_object();

		json_add(o, "size", json_new_uint64(m->files[i].size));
		json_add(o, "sha256", json_new_string(m->files[i].sha256));
		json_add(files, m->files[i].name, o);
	}
	return files;
}

static struct json_object *new_open(const struct manifest *m, bool appended)
{
	struct json_object *list = json_new_array();

	for (size_t i = 0; i < m->n_open; i++) {
		struct json_object *o;

		if (m->open[i].appended != appended)
			continue;
		o = json_new_object();
		json_add(o, "path", json_new_string(m->open[i].path));
		json_add(o, "size", json_new_uint64(m->open[i].size));
		json_add(o, "mtimeNs", json_new_uint64(m->open[i].mtime_ns));
		json_append(list, o);
	}
	return list;
}

static struct json_object *new_statistics(const struct manifest_statistics *s)
{
	struct json_object *o = json_new_object();

	put_members(o, s, statistics, ARRAY_SIZE(statistics));
	return o;
}

static struct json_object *new_pre_dumps(const struct manifest *m)
{
	struct json_object *list = json_new_array();

	for (size_t i = 0; i < m->n_pre_dumps; i++)
		json_append(list, new_statistics(&m->pre_dumps[i]));
	return list;
}

/* The digest is of the text with zeros in its place. */
static void own_digest(char *text, char ret[SHA256_TEXT_SIZE], char **ret_place)
{
	char *at = strstr(text, DIGEST_AT);

	*ret_place = at + strlen(DIGEST_AT);
	memset(*ret_place, '0', SHA256_TEXT_SIZE - 1);
	sha256_text(text, strlen(text), ret);
}

char *manifest_text(const struct manifest *m)
{
	static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
	struct json_object *top = json_new_object();
	char digest[SHA256_TEXT_SIZE], *text, *place;

	json_add(top, "sha256", json_new_string(zeros));
	json_add(top, "format", json_new_int64(m->n_pre_dumps ? FORMAT_PARENTS : FORMAT));
	put_members(top, m, members, ARRAY_SIZE(members));
	if (m->statistics.known)
		json_add(top, "statistics", new_statistics(&m->statistics));
	if (m->n_pre_dumps)
		json_add(top, "preDumps", new_pre_dumps(m));
	json_add(top, OPEN_FILES, new_open(m, false));
	json_add(top, APPENDED_FILES, new_open(m, true));
	json_add(top, "files", new_files(m));
	text = xasprintf("%s\n", json_to_text(top, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(top);
	own_digest(text, digest, &place);
	memcpy(place, digest, SHA256_TEXT_SIZE - 1);
	return text;
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

static int bad(struct err *err, const char *what)
{
	return err_set(err, ERR_CONFIG, MANIFEST_FILE ": %s", what);
}

static int take_text(struct json_object *v, char *to, size_t size)
{
	const char *text = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
	size_t len = text ? (size_t)json_object_get_string_len(v) : size;

	if (len >= size || strlen(text) != len)
		return -1;
	memcpy(to, text, len + 1);
	return 0;
}

static int take_number(struct json_object *v, uint64_t *to)
{
	if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0)
		return -1;
	*to = json_object_get_uint64(v);
	return 0;
}

/* All of them have to be there. */
static int take_members(struct json_object *o, void *into, const struct member *rows, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		char *to = (char *)into + rows[i].offset;
		struct json_object *v;
		int r = -1;

		if (!json_object_object_get_ex(o, rows[i].name, &v))
			;
		else if (rows[i].kind == TEXT)
			r = take_text(v, to, rows[i].size);
		else if (rows[i].kind == NUMBER)
			r = take_number(v, (uint64_t *)(void *)to);
		else if (json_object_is_type(v, json_type_boolean))
			r = (*(bool *)to = json_object_get_boolean(v), 0);
		if (r < 0)
			return err_set(err, ERR_CONFIG, MANIFEST_FILE ": '%s' is missing, too long or of another kind",
				       rows[i].name);
	}
	return 0;
}

static bool is_digest(const char *text)
{
	return strlen(text) == SHA256_TEXT_SIZE - 1 && strspn(text, "0123456789abcdef") == SHA256_TEXT_SIZE - 1;
}

static int take_files(struct json_object *o, struct manifest *m, struct err *err)
{
	uint64_t said = m->size;

	if (!json_object_is_type(o, json_type_object) || json_object_object_length(o) > MANIFEST_FILES_MAX)
		return bad(err, "'files' is no object, or too long");
	m->size = 0;
	m->files = xcalloc((size_t)json_object_object_length(o) + 1, sizeof(*m->files));
	json_object_object_foreach(o, name, v)
	{
		struct manifest_file *f = &m->files[m->n_files];
		struct json_object *size, *digest;

		if (!manifest_is_path(name) || !json_object_is_type(v, json_type_object) ||
		    !json_object_object_get_ex(v, "size", &size) || !json_object_object_get_ex(v, "sha256", &digest) ||
		    take_number(size, &f->size) < 0 || take_text(digest, f->sha256, sizeof(f->sha256)) < 0 ||
		    !is_digest(f->sha256) || f->size > UINT64_MAX / 2 - m->size)
			return bad(err, "'files' has an entry that is none");
		snprintf(f->name, sizeof(f->name), "%s", name);
		m->size += f->size;
		m->n_files++;
	}
	return m->size == said ? 0 : bad(err, "'size' is not that of its files");
}

static int take_open(struct json_object *o, bool appended, struct manifest *m, struct err *err)
{
	if (!json_object_is_type(o, json_type_array) || json_object_array_length(o) > MANIFEST_FILES_MAX)
		return bad(err, "a list of open files is none, or too long");
	for (size_t i = 0; i < json_object_array_length(o); i++) {
		struct json_object *v = json_object_array_get_idx(o, i), *path, *size, *mtime;
		struct manifest_open_file f = { .appended = appended };

		if (!json_object_is_type(v, json_type_object) || !json_object_object_get_ex(v, "path", &path) ||
		    !json_object_object_get_ex(v, "size", &size) || !json_object_object_get_ex(v, "mtimeNs", &mtime) ||
		    !json_object_is_type(path, json_type_string) || take_number(size, &f.size) < 0 ||
		    take_number(mtime, &f.mtime_ns) < 0)
			return bad(err, "a list of open files has an entry that is none");
		f.path = (char *)json_object_get_string(path);
		manifest_add_open(m, &f);
	}
	return 0;
}

static int check_digest(const char *text, struct err *err)
{
	cleanup_free char *copy = xstrdup(text);
	char said[SHA256_TEXT_SIZE], is[SHA256_TEXT_SIZE], *at = strstr(copy, DIGEST_AT), *place;

	if (!at || at - copy > DIGEST_WITHIN || strlen(at) < strlen(DIGEST_AT) + SHA256_TEXT_SIZE)
		return bad(err, "does not begin with its digest");
	snprintf(said, sizeof(said), "%s", at + strlen(DIGEST_AT));
	own_digest(copy, is, &place);
	return strcmp(said, is) == 0 ? 0 : bad(err, "is damaged: its digest is another");
}

static struct json_object *parse(const char *text)
{
	struct json_tokener *tok = json_tokener_new_ex(DEPTH_MAX);
	struct json_object *o = tok ? json_tokener_parse_ex(tok, text, -1) : NULL;

	json_tokener_free(tok);
	return o;
}

static int take_pre_dumps(struct json_object *o, struct manifest *m, struct err *err)
{
	size_t n = json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;

	if (n == 0 || n > MANIFEST_PARENTS_MAX)
		return bad(err, "'preDumps' is no list, or too long");
	for (size_t i = 0; i < n; i++) {
		struct json_object *v = json_object_array_get_idx(o, i);

		if (!json_object_is_type(v, json_type_object) ||
		    take_members(v, &m->pre_dumps[i], statistics, ARRAY_SIZE(statistics), err) < 0)
			return bad(err, "'preDumps' has an entry that is none");
		m->pre_dumps[i].known = true;
	}
	m->n_pre_dumps = n;
	return 0;
}

/* Files lie exactly as deep as there were pre-dumps. */
static int check_depth(const struct manifest *m, struct err *err)
{
	size_t deepest = 0;

	for (size_t i = 0; i < m->n_files; i++) {
		size_t depth = 0;

		for (const char *at = m->files[i].name; (at = strchr(at, '/')); at++)
			depth++;
		deepest = depth > deepest ? depth : deepest;
	}
	return deepest == m->n_pre_dumps ? 0 : bad(err, "'preDumps' are not those of its files");
}

static int take_all(struct json_object *top, struct manifest *m, struct err *err)
{
	struct json_object *v;
	int format = json_object_object_get_ex(top, "format", &v) ? json_object_get_int(v) : 0;

	if (format != FORMAT && format != FORMAT_PARENTS)
		return bad(err, "is of a format that is not known");
	if (take_members(top, m, members, ARRAY_SIZE(members), err) < 0)
		return -1;
	if (json_object_object_get_ex(top, "statistics", &v)) {
		if (!json_object_is_type(v, json_type_object) ||
		    take_members(v, &m->statistics, statistics, ARRAY_SIZE(statistics), err) < 0)
			return bad(err, "'statistics' is of another kind");
		m->statistics.known = true;
	}
	if (format == FORMAT_PARENTS &&
	    (!json_object_object_get_ex(top, "preDumps", &v) || take_pre_dumps(v, m, err) < 0))
		return bad(err, "'preDumps' is missing or damaged");
	if (!json_object_object_get_ex(top, OPEN_FILES, &v) || take_open(v, false, m, err) < 0)
		return bad(err, "'" OPEN_FILES "' is missing or damaged");
	if (json_object_object_get_ex(top, APPENDED_FILES, &v) && take_open(v, true, m, err) < 0)
		return bad(err, "'" APPENDED_FILES "' is damaged");
	if (!json_object_object_get_ex(top, "files", &v))
		return bad(err, "'files' is missing");
	return take_files(v, m, err) < 0 ? -1 : check_depth(m, err);
}

int manifest_parse(const char *text, struct manifest *ret, struct err *err)
{
	struct json_object *top;
	int r;

	*ret = (struct manifest) { 0 };
	if (check_digest(text, err) < 0)
		return -1;
	top = parse(text);
	r = json_object_is_type(top, json_type_object) ? take_all(top, ret, err) : bad(err, "is no JSON object");
	json_object_put(top);
	return r;
}
