/* SPDX-License-Identifier: Apache-2.0 */
/* Has an image all the pages that it says it has? */
#include "shim/checkpoint/pagemap.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "proto/criu.pb-c.h"

#define MAP_MAX (256u << 20)
#define MAGIC_BYTES 8 /* two numbers at the begin of a file */
#define PARENTS_MAX 64
#define PAGES_MAX (UINT64_MAX >> 20)
#define IN_PARENT 1u
#define PRESENT 4u

/* A file of criu's: each message follows its length. */
struct messages {
	const uint8_t *at;
	size_t left;
};

/* False at the end. -1 in *ret_len: it is cut off. */
static bool next(struct messages *m, const uint8_t **ret, ssize_t *ret_len)
{
	uint32_t len;

	if (m->left == 0)
		return false;
	*ret_len = -1;
	if (m->left < sizeof(len))
		return true;
	memcpy(&len, m->at, sizeof(len));
	if (len > m->left - sizeof(len))
		return true;
	*ret = m->at + sizeof(len);
	*ret_len = (ssize_t)len;
	m->at += sizeof(len) + len;
	m->left -= sizeof(len) + len;
	return true;
}

static bool is_here(const PagemapEntry *e)
{
	return e->has_flags ? (e->flags & PRESENT) && !(e->flags & IN_PARENT) : !(e->has_in_parent && e->in_parent);
}

/* False: it is none. */
static bool count_pages(struct messages *m, uint32_t *ret_id, uint64_t *ret_pages)
{
	PagemapHead *head = NULL;
	const uint8_t *text;
	uint64_t n;
	ssize_t len;

	*ret_pages = 0;
	if (!next(m, &text, &len) || len < 0 || !(head = pagemap_head__unpack(NULL, (size_t)len, text)))
		return false;
	*ret_id = head->pages_id;
	pagemap_head__free_unpacked(head, NULL);
	while (next(m, &text, &len)) {
		PagemapEntry *e = len < 0 ? NULL : pagemap_entry__unpack(NULL, (size_t)len, text);

		if (!e)
			return false;
		n = !is_here(e) ? 0 : e->has_nr_pages ? e->nr_pages : e->compat_nr_pages;
		pagemap_entry__free_unpacked(e, NULL);
		if (n > PAGES_MAX || *ret_pages > PAGES_MAX - n)
			return false;
		*ret_pages += n;
	}
	return true;
}

static int check_map(int dir_fd, const char *name, struct err *err)
{
	cleanup_fd int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_free char *data = NULL;
	struct messages m;
	uint64_t pages, bytes;
	struct stat st = { 0 };
	char file[40];
	uint32_t id;
	size_t len;

	if (fd < 0)
		return err_sys(err, "cannot open '%s' of the image", name);
	if (fd_read_all(fd, MAP_MAX, &data, &len, err) < 0)
		return err_add(err, "'%s' of the image", name);
	m = (struct messages) { (const uint8_t *)data + MAGIC_BYTES, len < MAGIC_BYTES ? 0 : len - MAGIC_BYTES };
	if (!count_pages(&m, &id, &pages))
		return err_set(err, ERR_CONFIG, "the image is damaged: '%s' is no map of pages", name);
	snprintf(file, sizeof(file), "pages-%u.img", id);
	bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	if (bytes > 0 && (fstatat(dir_fd, file, &st, 0) < 0 || (uint64_t)st.st_size < bytes))
		return err_set(err, ERR_CONFIG, "the image is damaged: '%s' has %llu bytes, and '%s' speaks of %llu",
			       file, (unsigned long long)st.st_size, name, (unsigned long long)bytes);
	return 0;
}

static int check_directory(int dir_fd, struct err *err)
{
	cleanup_dir DIR *dir = fd_list(dir_fd);
	struct dirent *e;

	if (!dir)
		return err_sys(err, "cannot read the image's directory");
	while ((e = readdir(dir)))
		if (!strncmp(e->d_name, "pagemap-", strlen("pagemap-")) && check_map(dir_fd, e->d_name, err) < 0)
			return -1;
	return 0;
}

int pagemap_check(int images_fd, struct err *err)
{
	cleanup_fd int fd = -1;
	int at = images_fd;

	for (int i = 0; i < PARENTS_MAX && at >= 0; i++) {
		int parent;

		if (check_directory(at, err) < 0)
			return i ? err_add(err, "the image that it goes on from") : -1;
		parent = openat(at, "parent", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd_close(&fd);
		at = fd = parent;
	}
	return 0;
}
