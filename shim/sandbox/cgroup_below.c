/* SPDX-License-Identifier: Apache-2.0 */
/* Joining a group below the container's own: `exec --cgroup`, and where the container itself has moved to.
 *
 * Runs in the shim. The groups are the container's or its manager's to make; the path is the caller's, who may not lead out of the container with it. */
#include <fcntl.h>
#include <string.h>

#include "common/fd.h"
#include "common/path.h"
#include "shim/sandbox/cgroup_internal.h"

/* One per hierarchy; NULL: the container's own group. */
struct below {
	char *dir[CGROUP_HIERARCHIES_MAX];
};

static void below_release(struct below *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(b->dir); i++)
		free(b->dir[i]);
}

static int set_group(struct cgroup *cg, size_t i, const char *group, struct below *b, struct err *err)
{
	cleanup_free char *joined = xasprintf("%s/%s", cg->h[i].dir, group), *clean = path_clean(joined);

	if (!path_is_below(clean, cg->h[i].dir))
		return err_set(err, ERR_USAGE, "--cgroup: '%s' is not below the container's cgroup", group);
	free(b->dir[i]);
	b->dir[i] = take_ptr(clean);
	return 0;
}

/* Whoever makes a group for some controllers leaves the other hierarchies alone. */
static int set_everywhere(struct cgroup *cg, const char *group, struct below *b, struct err *err)
{
	bool found = false;

	for (size_t i = 0; i < cg->n; i++) {
		if (set_group(cg, i, group, b, err) < 0)
			return -1;
		if (access(b->dir[i], F_OK) == 0) {
			found = true;
			continue;
		}
		free(b->dir[i]);
		b->dir[i] = NULL;
	}
	return found ? 0 : err_set(err, ERR_USAGE, "--cgroup: the container has no cgroup '%s'", group);
}

static int set_controllers(struct cgroup *cg, const char *text, struct below *b, struct err *err)
{
	size_t len = strcspn(text, ":");
	const char *group = text + len + 1;
	cleanup_free char *names = strndup(text, len);

	for (char *name = names, *end; name; name = end) {
		const struct hierarchy *h;

		end = strchr(name, ',');
		if (end)
			*end++ = '\0';
		if (!name[0])
			return err_set(err, ERR_USAGE, "--cgroup: '%s' has an empty controller", text);
		h = cgroup_find(cg, name);
		if (!h)
			return err_set(err, ERR_USAGE, "--cgroup: the container has no controller '%s'", name);
		if (b->dir[h - cg->h])
			return err_set(err, ERR_USAGE, "--cgroup: controller '%s' is given twice", name);
		if (set_group(cg, (size_t)(h - cg->h), group, b, err) < 0)
			return -1;
		if (access(b->dir[h - cg->h], F_OK) < 0)
			return err_set(err, ERR_USAGE, "--cgroup: the container has no cgroup '%s' for '%s'", group,
				       name);
	}
	return 0;
}

static int set_all(struct cgroup *cg, const char *const *groups, size_t n, struct below *b, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const char *colon = strchr(groups[i], ':');

		if (!groups[i][0] || (colon && strchr(colon + 1, ':')))
			return err_set(err, ERR_USAGE, "--cgroup is [CONTROLLER[,CONTROLLER...]:]GROUP, not '%s'",
				       groups[i]);
		if (!colon && n > 1)
			return err_set(err, ERR_USAGE,
				       "--cgroup: '%s' needs a controller, since there is more than one", groups[i]);
		if ((colon ? set_controllers : set_everywhere)(cg, groups[i], b, err) < 0)
			return -1;
	}
	return 0;
}

int cgroup_open_join_below(struct cgroup *cg, const char *const *groups, size_t n, struct err *err)
{
	struct below b = { .dir = { NULL } };
	int r = set_all(cg, groups, n, &b, err);

	for (size_t i = 0; i < cg->n && r == 0; i++)
		r = cgroup_open_join_at(&cg->h[i], b.dir[i] ? b.dir[i] : cg->h[i].dir, err);
	below_release(&b);
	return r;
}

/* `group` as a group file tells it, "/a/b/c". Our directory ends in one of "/a", "/a/b", "/a/b/c": the longest of them is the container's group, and the rest is below it. NULL:
 * none is. */
static const char *part_below(const char *dir, const char *group)
{
	const char *found = NULL;

	for (size_t n = 1; group[n - 1]; n++) {
		size_t dir_len = strlen(dir);

		if (n > 1 && (group[n] == '/' || !group[n]) && n <= dir_len && !strncmp(dir + dir_len - n, group, n))
			found = group + n;
	}
	return found;
}

/* The v2 group of a /proc/PID/cgroup text, cut out of it. NULL: there is none. */
static const char *v2_group(char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, "0::", 3))
			return line + 3;
	return NULL;
}

int cgroup_open_join_of(struct cgroup *cg, pid_t pid, struct err *err)
{
	cleanup_free char *path = xasprintf("/proc/%d/cgroup", (int)pid), *text = NULL, *dir = NULL;
	const char *group, *below = NULL;
	struct hierarchy *h = NULL;

	if (fd_read_file_at(AT_FDCWD, path, 1 << 20, &text, err) < 0)
		return -1;
	for (size_t i = 0; i < cg->n; i++)
		if (cg->h[i].v2)
			h = &cg->h[i];
	group = v2_group(text);
	if (h && group)
		below = part_below(h->dir, group);
	if (!below)
		return err_set(err, ERR_STATE, "the container's first process has left its cgroup");
	dir = xasprintf("%s%s", h->dir, below);
	fd_close(&h->join_fd);
	return cgroup_open_join_at(h, dir, err);
}
