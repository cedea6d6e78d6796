/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as text, and directories made step by step. */
#include "common/path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"

#define DEFAULT_PATH "/usr/sbin:/usr/bin:/sbin:/bin"

/* EEXIST says that something is there, be it a file or a symlink to nowhere. */
static int make_one(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST || stat(path, &st) < 0)
		return -1;
	if (S_ISDIR(st.st_mode))
		return 0;
	errno = ENOTDIR;
	return -1;
}

int path_mkdir_all(const char *path, mode_t mode, struct err *err)
{
	cleanup_free char *copy = path_clean(path);

	/* The usual case is that only the last one is missing, or none. */
	if (make_one(copy, mode) == 0)
		return 0;
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (make_one(copy, mode) < 0)
			return err_sys(err, "cannot make directory '%s'", copy);
		*p = '/';
	}
	if (make_one(copy, mode) < 0)
		return err_sys(err, "cannot make directory '%s'", copy);
	return 0;
}

void path_made_release(struct path_made *m)
{
	free(m->path);
	free(m->first);
	*m = PATH_MADE_NOTHING;
}

int path_make(const char *path, mode_t mode, struct path_made *ret, struct err *err)
{
	cleanup_free char *absolute = NULL, *above = NULL;
	struct stat st;

	/* What is there may be behind links, which a clean path would not follow. */
	if (stat(path, &st) == 0)
		return 0;
	if (path_absolute(path, &absolute, err) < 0)
		return -1;
	above = xstrdup(absolute);
	while (above[1] && stat(above, &st) < 0 && (errno == ENOENT || errno == ENAMETOOLONG)) {
		free(ret->first);
		ret->first = xstrdup(above);
		*(strrchr(above, '/') == above ? above + 1 : strrchr(above, '/')) = '\0';
	}
	ret->path = take_ptr(absolute);
	if (path_mkdir_all(ret->path, mode, err) == 0)
		return 0;
	path_unmake(ret);
	return -1;
}

int path_open_directory(const char *path, struct path_made *made, int *ret_fd, struct err *err)
{
	/* The caller's umask may take away even the owner's rights. */
	mode_t old = umask(0077);
	int r = made ? path_make(path, 0700, made, err) : 0;

	umask(old);
	if (r < 0)
		return -1;
	/* By the path that was made: a link in the other one may lead elsewhere. */
	*ret_fd = open(made && made->path ? made->path : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(err, "cannot open directory '%s'", path) : 0;
}

void path_unmake(const struct path_made *m)
{
	cleanup_free char *path = m->first ? xstrdup(m->path) : NULL;

	/* What was not made, when it came to a failure half way, has nothing above it that is not ours. */
	while (path && strlen(path) >= strlen(m->first) &&
	       (rmdir(path) == 0 || errno == ENOENT || errno == ENAMETOOLONG) && strchr(path, '/'))
		*strrchr(path, '/') = '\0';
}

char *path_clean(const char *path)
{
	char *out = xmalloc(strlen(path) + 2);
	size_t n = 0;

	while (*path) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 2 && !memcmp(path, "..", 2)) {
			while (n > 0 && out[--n] != '/')
				;
		} else if (len > 0 && !(len == 1 && *path == '.')) {
			out[n++] = '/';
			memcpy(out + n, path, len);
			n += len;
		}
		path += len;
	}
	if (n == 0)
		out[n++] = '/';
	out[n] = '\0';
	return out;
}

char *path_join(const char *dir, const char *name)
{
	if (name[0] == '/')
		return xstrdup(name);
	return xasprintf("%s%s%s", dir, dir[0] && dir[strlen(dir) - 1] == '/' ? "" : "/", name);
}

bool path_is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (!strcmp(dir, "/"))
		return path[0] == '/';
	return !strncmp(path, dir, n) && (path[n] == '\0' || path[n] == '/');
}

bool path_is_program(const char *path)
{
	struct stat st;

	if (access(path, X_OK) < 0 || stat(path, &st) < 0)
		return false;
	errno = EACCES;
	return S_ISREG(st.st_mode);
}

char *path_find_program(const char *name)
{
	cleanup_free char *path = xstrdup(getenv("PATH") ? getenv("PATH") : DEFAULT_PATH);
	char *rest = NULL;

	for (const char *dir = strtok_r(path, ":", &rest); dir; dir = strtok_r(NULL, ":", &rest)) {
		cleanup_free char *file = xasprintf("%s/%s", dir, name);

		if (dir[0] == '/' && path_is_program(file))
			return take_ptr(file);
	}
	return NULL;
}

int path_absolute(const char *path, char **ret_path, struct err *err)
{
	cleanup_free char *joined = NULL;
	char cwd[PATH_MAX] = "";

	if (path[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return err_sys(err, "cannot find the current directory");
	joined = path_join(cwd, path);
	*ret_path = path_clean(joined);
	return 0;
}
