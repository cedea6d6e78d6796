/* SPDX-License-Identifier: Apache-2.0 */
/* The form of rootfs.tar: POSIX's pax archive.
 *
 * Reading runs in a worker, before anything is changed, on what anybody may have written. */
#include "shim/checkpoint/pax.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/tar.h"

#define RECORDS_MAX (1 << 20) /* PAX_XATTRS_BYTES, paths, and a gap before the data */
#define XATTR_PREFIX "SCHILY.xattr."
#define AREA "thole "  /* begins the comment of an area's directory: "thole FORM DESTINATION" */
#define COMMENT_MIN 14 /* bytes of the shortest "14 comment=..." that all lengths from there on can be */

void pax_entry_release(struct pax_entry *e)
{
	for (size_t i = 0; i < e->n_xattrs; i++) {
		free(e->xattrs[i].name);
		free(e->xattrs[i].value);
	}
	free(e->xattrs);
	free(e->path);
	free(e->link);
	free(e->destination);
	free(e->form);
	*e = (struct pax_entry) { 0 };
}

static enum pax_type type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return PAX_DIR;
	case S_IFLNK:
		return PAX_SYMLINK;
	case S_IFCHR:
		return PAX_CHAR;
	case S_IFBLK:
		return PAX_BLOCK;
	case S_IFIFO:
		return PAX_FIFO;
	default:
		return PAX_FILE;
	}
}

void pax_entry_from(struct pax_entry *e, const struct stat *st)
{
	e->type = type_of(st->st_mode);
	e->mode = st->st_mode & 07777;
	e->uid = st->st_uid;
	e->gid = st->st_gid;
	e->size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
	e->mtime = st->st_mtim;
	e->major = major(st->st_rdev);
	e->minor = minor(st->st_rdev);
}

void pax_add_xattr(struct pax_entry *e, const char *name, const void *value, size_t len)
{
	struct pax_xattr *x;

	e->xattrs = xreallocarray(e->xattrs, e->n_xattrs + 1, sizeof(*e->xattrs));
	x = &e->xattrs[e->n_xattrs++];
	*x = (struct pax_xattr) { .name = xstrdup(name), .value = xmalloc(len + 1), .len = len };
	memcpy(x->value, value, len);
}

size_t pax_xattr_bytes(const struct pax_xattr *x)
{
	return 64 + 3 * strlen(x->name) + x->len;
}

/* ---- writing --------------------------------------------------------------------------------------------------------------- */

struct buffer {
	char *v;
	size_t n;
};

static void append(struct buffer *b, const void *data, size_t len)
{
	if (len == 0)
		return;
	b->v = xrealloc(b->v, b->n + len);
	memcpy(b->v + b->n, data, len);
	b->n += len;
}

/* "LENGTH KEY=VALUE\n", whose length counts its own digits. */
static void add_record(struct buffer *b, const char *key, const void *value, size_t len)
{
	size_t rest = strlen(key) + len + 3, total = rest + 1;
	char head[32];
	int n;

	while ((n = snprintf(head, sizeof(head), "%zu", total), (size_t)n + rest) != total)
		total = (size_t)n + rest;
	append(b, head, (size_t)n);
	append(b, " ", 1);
	append(b, key, strlen(key));
	append(b, "=", 1);
	append(b, value, len);
	append(b, "\n", 1);
}

static void add_text(struct buffer *b, const char *key, const char *value)
{
	if (value)
		add_record(b, key, value, strlen(value));
}

/* An equals sign would end the key: tar writes it as %3D, and a per cent sign as %25. The caller's. */
static char *xattr_key(const char *name)
{
	char *key = xmalloc(strlen(XATTR_PREFIX) + 3 * strlen(name) + 1), *to = key + strlen(XATTR_PREFIX);

	memcpy(key, XATTR_PREFIX, strlen(XATTR_PREFIX));
	for (; *name; name++) {
		if (*name != '=' && *name != '%') {
			*to++ = *name;
			continue;
		}
		memcpy(to, *name == '=' ? "%3D" : "%25", 3);
		to += 3;
	}
	*to = '\0';
	return key;
}

static char *xattr_name(const char *key)
{
	char *name = xmalloc(strlen(key) + 1), *to = name;

	for (; *key; key++) {
		bool equals = !strncmp(key, "%3D", 3);

		if (equals || !strncmp(key, "%25", 3)) {
			*to++ = equals ? '=' : '%';
			key += 2;
		} else {
			*to++ = *key;
		}
	}
	*to = '\0';
	return name;
}

/* A comment that makes the records `len` bytes longer. */
static void add_comment(struct buffer *b, size_t len)
{
	cleanup_free char *fill = NULL;
	char digits[24];
	size_t used = (size_t)snprintf(digits, sizeof(digits), "%zu", len) + strlen(" comment=\n");

	fill = xmalloc(len);
	memset(fill, ' ', len);
	append(b, digits, strlen(digits));
	append(b, " comment=", strlen(" comment="));
	append(b, fill, len - used);
	append(b, "\n", 1);
}

static struct buffer make_records(const struct pax_entry *e)
{
	struct buffer b = { NULL, 0 };
	cleanup_free char *mtime = xasprintf("%lld.%09ld", (long long)e->mtime.tv_sec, (long)e->mtime.tv_nsec);

	add_text(&b, "mtime", mtime);
	if (strlen(e->path) >= sizeof(((struct tar_header *)0)->name))
		add_text(&b, "path", e->path);
	if (e->link && strlen(e->link) >= sizeof(((struct tar_header *)0)->link))
		add_text(&b, "linkpath", e->link);
	if (e->destination) {
		cleanup_free char *area = xasprintf(AREA "%s %s", e->form, e->destination);

		add_text(&b, "comment", area);
	}
	for (size_t i = 0; i < e->n_xattrs; i++) {
		cleanup_free char *key = xattr_key(e->xattrs[i].name);

		add_record(&b, key, e->xattrs[i].value, e->xattrs[i].len);
	}
	return b;
}

/* Negative times are in the record alone. */
static uint64_t whole_seconds(const struct pax_entry *e)
{
	return e->mtime.tv_sec > 0 ? (uint64_t)e->mtime.tv_sec : 0;
}

static void copy_name(char *field, size_t size, const char *text)
{
	memcpy(field, text, strnlen(text, size - 1));
}

static void append_header(struct buffer *b, const struct pax_entry *e)
{
	struct tar_header h = { .type = (char)e->type };

	copy_name(h.name, sizeof(h.name), e->path);
	if (e->link)
		copy_name(h.link, sizeof(h.link), e->link);
	tar_put_number(h.mode, sizeof(h.mode), e->mode);
	tar_put_number(h.uid, sizeof(h.uid), e->uid);
	tar_put_number(h.gid, sizeof(h.gid), e->gid);
	tar_put_number(h.size, sizeof(h.size), e->size);
	tar_put_number(h.mtime, sizeof(h.mtime), whole_seconds(e));
	tar_put_number(h.major, sizeof(h.major), e->major);
	tar_put_number(h.minor, sizeof(h.minor), e->minor);
	tar_seal(&h);
	append(b, &h, sizeof(h));
}

static uint64_t rounded(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

void *pax_encode(const struct pax_entry *e, uint64_t at, uint64_t align, size_t *ret_len)
{
	static const char zeros[TAR_BLOCK];
	struct buffer records = make_records(e), b = { NULL, 0 };
	struct tar_header h = { .type = 'x' };
	uint64_t space = rounded(records.n, TAR_BLOCK);

	if (align > TAR_BLOCK) {
		space = rounded(at + 2 * TAR_BLOCK + space, align) - at - 2 * TAR_BLOCK;
		if (space - records.n >= COMMENT_MIN)
			add_comment(&records, space - records.n);
	}
	copy_name(h.name, sizeof(h.name), "pax");
	tar_put_number(h.mode, sizeof(h.mode), 0600);
	tar_put_number(h.uid, sizeof(h.uid), 0);
	tar_put_number(h.gid, sizeof(h.gid), 0);
	tar_put_number(h.size, sizeof(h.size), records.n);
	tar_put_number(h.mtime, sizeof(h.mtime), 0);
	tar_seal(&h);
	append(&b, &h, sizeof(h));
	append(&b, records.v, records.n);
	append(&b, zeros, tar_padding(records.n));
	append_header(&b, e);
	free(records.v);
	*ret_len = b.n;
	return b.v;
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

static int bad(const char *what, struct err *err)
{
	return err_set(err, ERR_CONFIG, "the archive of files is damaged: %s", what);
}

static int read_at(int fd, uint64_t at, uint64_t end, void *buf, size_t len, struct err *err)
{
	size_t done = 0;

	if (at > end || len > end - at)
		return bad("it ends too early", err);
	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot read the archive of files");
		if (n == 0)
			return bad("it ends too early", err);
		done += (size_t)n;
	}
	return 0;
}

static int take_text(char **to, const char *value, size_t len)
{
	if (*to || len == 0 || len >= PAX_PATH_MAX || memchr(value, '\0', len))
		return -1;
	*to = strndup(value, len);
	return *to ? 0 : -1;
}

static int take_time(struct timespec *to, const char *value, size_t len)
{
	char text[40], *end;

	if (len >= sizeof(text))
		return -1;
	memcpy(text, value, len);
	text[len] = '\0';
	errno = 0;
	to->tv_sec = strtoll(text, &end, 10);
	if (errno || end == text || (*end != '.' && *end != '\0'))
		return -1;
	to->tv_nsec = 0;
	if (*end == '\0')
		return 0;
	if (strlen(end) != 10 || strspn(end + 1, "0123456789") != 9)
		return -1;
	to->tv_nsec = strtol(end + 1, NULL, 10);
	return 0;
}

static int take_xattr(struct pax_entry *e, const char *key, const char *value, size_t len)
{
	cleanup_free char *name = xattr_name(key);

	if (!name[0] || strlen(name) > 255 || len > 65536 || e->n_xattrs == PAX_XATTRS_MAX)
		return -1;
	pax_add_xattr(e, name, value, len);
	return 0;
}

static int take_area(struct pax_entry *e, const char *text, size_t len)
{
	const char *blank = memchr(text, ' ', len);

	if (!blank)
		return -1;
	return take_text(&e->form, text, (size_t)(blank - text)) < 0
		       ? -1
		       : take_text(&e->destination, blank + 1, len - (size_t)(blank + 1 - text));
}

static int take_record(struct pax_entry *e, bool *timed, const char *key, const char *value, size_t len)
{
	if (!strcmp(key, "path"))
		return take_text(&e->path, value, len);
	if (!strcmp(key, "linkpath"))
		return take_text(&e->link, value, len);
	if (!strcmp(key, "mtime")) {
		*timed = true;
		return take_time(&e->mtime, value, len);
	}
	if (!strncmp(key, XATTR_PREFIX, strlen(XATTR_PREFIX)))
		return take_xattr(e, key + strlen(XATTR_PREFIX), value, len);
	if (strcmp(key, "comment") != 0)
		return -1;
	return len > strlen(AREA) && !strncmp(value, AREA, strlen(AREA))
		       ? take_area(e, value + strlen(AREA), len - strlen(AREA))
		       : 0;
}

static int take_records(struct pax_entry *e, bool *timed, char *text, size_t len)
{
	while (len > 0) {
		char *end, *equals;
		unsigned long n = text[0] >= '1' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;

		if (n < 5 || n > len || *end != ' ' || text[n - 1] != '\n')
			return -1;
		end++;
		equals = memchr(end, '=', (size_t)(text + n - 1 - end));
		if (!equals || memchr(end, '\0', (size_t)(equals - end)))
			return -1;
		*equals = '\0';
		if (take_record(e, timed, end, equals + 1, (size_t)(text + n - 1 - (equals + 1))) < 0)
			return -1;
		text += n;
		len -= n;
	}
	return 0;
}

/* The 'x' header and its records. */
static int read_records(int fd, uint64_t *at, uint64_t end, const struct tar_header *h, struct pax_entry *e,
			bool *timed, struct err *err)
{
	cleanup_free char *text = NULL;
	uint64_t size;

	if (tar_take_number(h->size, sizeof(h->size), &size) < 0 || size > RECORDS_MAX)
		return bad("a header is too long", err);
	text = xmalloc((size_t)size + 1);
	if (read_at(fd, *at, end, text, (size_t)size, err) < 0)
		return -1;
	text[size] = '\0';
	*at += size + tar_padding(size);
	return take_records(e, timed, text, (size_t)size) < 0 ? bad("a header is none", err) : 0;
}

static int take_field(const char *field, size_t size, uint64_t max, uint64_t *ret)
{
	return tar_take_number(field, size, ret) < 0 || *ret > max ? -1 : 0;
}

static char *field_text(const char *field, size_t size)
{
	return strndup(field, size);
}

/* As others write directories. */
static void drop_slash(struct pax_entry *e)
{
	size_t len = strlen(e->path);

	while (e->type == PAX_DIR && len > 1 && e->path[len - 1] == '/')
		e->path[--len] = '\0';
}

static int take_header(const struct tar_header *h, struct pax_entry *e, bool timed, struct err *err)
{
	bool device = h->type == (char)PAX_CHAR || h->type == (char)PAX_BLOCK;
	uint64_t mode, uid, gid, mtime, rmajor = 0, rminor = 0;

	if (!memchr("0123456", h->type, 7) || h->prefix[0])
		return bad("it has an entry of a kind that does not belong into it", err);
	if (take_field(h->mode, sizeof(h->mode), 07777, &mode) < 0 ||
	    take_field(h->uid, sizeof(h->uid), UINT32_MAX - 1, &uid) < 0 ||
	    take_field(h->gid, sizeof(h->gid), UINT32_MAX - 1, &gid) < 0 ||
	    take_field(h->size, sizeof(h->size), INT64_MAX, &e->size) < 0 ||
	    take_field(h->mtime, sizeof(h->mtime), INT64_MAX, &mtime) < 0 ||
	    (device && (take_field(h->major, sizeof(h->major), 0xfff, &rmajor) < 0 ||
			take_field(h->minor, sizeof(h->minor), 0xfffff, &rminor) < 0)))
		return bad("a number in it is none", err);
	e->type = (enum pax_type)h->type;
	e->mode = (mode_t)mode;
	e->uid = (uid_t)uid;
	e->gid = (gid_t)gid;
	e->major = (unsigned int)rmajor;
	e->minor = (unsigned int)rminor;
	if (!timed)
		e->mtime = (struct timespec) { .tv_sec = (time_t)mtime };
	if (!e->path)
		e->path = field_text(h->name, sizeof(h->name));
	drop_slash(e);
	if (!e->link && h->link[0])
		e->link = field_text(h->link, sizeof(h->link));
	if (e->type != PAX_FILE && e->size > 0)
		return bad("it has data where none belong", err);
	if ((e->link != NULL) != (e->type == PAX_HARDLINK || e->type == PAX_SYMLINK))
		return bad("it has a link that leads nowhere", err);
	return 0;
}

/* Two empty blocks, and nothing behind them. */
static int check_end(int fd, uint64_t at, uint64_t end, struct err *err)
{
	uint8_t block[TAR_BLOCK];

	if (end - at != TAR_BLOCK)
		return bad("something follows its end", err);
	if (read_at(fd, at, end, block, sizeof(block), err) < 0)
		return -1;
	return tar_is_empty(block) ? 0 : bad("something follows its end", err);
}

int pax_read(int fd, uint64_t *at, uint64_t end, struct pax_entry *ret, struct err *err)
{
	struct pax_entry e cleanup_pax = { 0 };
	struct tar_header h;
	bool timed = false;

	if (read_at(fd, *at, end, &h, sizeof(h), err) < 0)
		return -1;
	*at += sizeof(h);
	if (tar_is_empty(&h))
		return check_end(fd, *at, end, err);
	if (!tar_is_sound(&h))
		return bad("an entry is none", err);
	if (h.type == 'x') {
		if (read_records(fd, at, end, &h, &e, &timed, err) < 0 || read_at(fd, *at, end, &h, sizeof(h), err) < 0)
			return -1;
		*at += sizeof(h);
		if (!tar_is_sound(&h))
			return bad("an entry is none", err);
	}
	if (take_header(&h, &e, timed, err) < 0)
		return -1;
	e.data = *at;
	if (e.size > end - *at || e.size + tar_padding(e.size) > end - *at)
		return bad("it ends too early", err);
	*at += e.size + tar_padding(e.size);
	*ret = e;
	e = (struct pax_entry) { 0 };
	return 1;
}
