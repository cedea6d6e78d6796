/* SPDX-License-Identifier: Apache-2.0 */
/* What cgroup.c, cgroup_v1.c and cgroup_v2.c share. */
#ifndef THOLE_SHIM_SANDBOX_CGROUP_INTERNAL_H
#define THOLE_SHIM_SANDBOX_CGROUP_INTERNAL_H

#include <dirent.h>

#include "shim/sandbox/cgroup.h"

#define CGROUP_HIERARCHIES_MAX 24

struct hierarchy {
	bool v2;
	char *subsystem; /* "cpu,cpuacct", "name=systemd", "" */
	char *name;      /* last part of the mount point */
	char *data;
	char *mount;     /* mount point */
	char *dir;       /* the container's group, absolute */
	size_t base_len; /* of dir: what was there before */
	bool made;
	bool found; /* it was there, and empty, with all below it */
	int join_fd;
	char *link_text; /* storage of links */
	const char *links[4];
};

struct cgroup {
	size_t n;
	struct hierarchy h[CGROUP_HIERARCHIES_MAX];
	bool pure_v2;
	bool lenient; /* cgroup_restrict() */
};

/* The hierarchy that has this v1 controller, or NULL. */
const struct hierarchy *cgroup_find(const struct cgroup *cg, const char *controller);
const struct hierarchy *cgroup_find_v2(const struct cgroup *cg);

/* The next child group of `dir`, whatever it is called, by what reads it; NULL: there is no more (`d` NULL: none). Caller frees. */
char *cgroup_next_child(const char *dir, DIR *d);

/* Open what a child joins this group by, into h->join_fd. `dir`: h->dir or a group below it. */
int cgroup_open_join_at(struct hierarchy *h, const char *dir, struct err *err);

/* Write VALUE to DIR/FILE; the error names the config's field. */
int cgroup_write(const struct hierarchy *h, const char *field, const char *file, const char *value, struct err *err);

/* Which devices may be used. */
/* The kernel has refused this limit of memory with EINVAL (err), as it does above that of memory and swap together: say so, if it is that. Returns -1. */
int cgroup_v1_above_swap(const struct hierarchy *h, const char *field, const char *value, struct err *err);

int cgroup_v1_devices(struct cgroup *cg, const struct oci_resources *r, struct err *err);
int cgroup_v2_devices(struct cgroup *cg, const struct oci_resources *r, struct err *err);

/* After mkdir of one level (made), or when the leaf is there already: where it is an empty cpuset it gets what is above it, and so do those on the way. */
int cgroup_v1_fill_cpuset(const struct hierarchy *h, const char *dir, bool made, struct err *err);
/* Before the leaf is made: let every ancestor hand its controllers down. */
void cgroup_v2_enable_controllers(const struct hierarchy *h);

#endif
