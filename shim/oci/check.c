/* SPDX-License-Identifier: Apache-2.0 */
/* What can be judged of a config without touching the system: versions, contradictions, things that need one another. */
#include <ctype.h>
#include <limits.h>
#include <linux/sched.h>
#include <string.h>

#include "common/fd.h"
#include "shim/oci/check.h"
#include "shim/oci/names.h"
#include "shim/oci/sysctl.h"

/* One number of a version: digits without a leading zero. NULL when there is none. */
static const char *skip_number(const char *p)
{
	size_t n = strspn(p, "0123456789");

	return n == 0 || (n > 1 && p[0] == '0') ? NULL : p + n;
}

static bool is_version_suffix(const char *p)
{
	if ((*p != '-' && *p != '+') || !p[1])
		return false;
	while (*++p)
		if (!isalnum((unsigned char)*p) && !strchr(".-+", *p))
			return false;
	return true;
}

/* MAJOR.MINOR.PATCH, then "-PRERELEASE" or "+BUILD". 1.0.0-rc5 comes before 1.0.0, and had fields of other shapes. */
static int check_version(const struct oci_config *c, struct err *err)
{
	const char *v = c->version, *p = v;

	for (int i = 0; i < 3; i++) {
		p = skip_number(p);
		if (!p || (i < 2 && *p++ != '.'))
			return err_set(err, ERR_CONFIG, "ociVersion: '%s' is not a version", v);
	}
	if (*p && !is_version_suffix(p))
		return err_set(err, ERR_CONFIG, "ociVersion: '%s' is not a version", v);
	if (strncmp(v, "1.", 2) != 0 || !strncmp(v, "1.0.0-", 6))
		return err_set(err, ERR_UNSUPPORTED, "ociVersion: '%s' is not supported: 1.0.0 and later 1.x are", v);
	return 0;
}

static int check_name(const struct oci_config *c, const char *field, const char *name, struct err *err)
{
	if (!name)
		return 0;
	if (!c->ns[OCI_NS_UTS].wanted)
		return err_set(err, ERR_CONFIG, "%s: needs a uts namespace", field);
	if (strlen(name) > HOST_NAME_MAX)
		return err_set(err, ERR_CONFIG, "%s: longer than %d bytes", field, HOST_NAME_MAX);
	return 0;
}

/* Without a mount namespace each of these would be done to the host's mounts. */
static int check_mount_namespace(const struct oci_config *c, struct err *err)
{
	const struct {
		const char *field;
		bool used;
	} users[] = {
		{ "mounts", c->n_mounts > 0 },
		{ "root.readonly", c->root_readonly },
		{ "linux.rootfsPropagation", c->rootfs_propagation != 0 },
		{ "linux.maskedPaths", c->masked_paths.n > 0 },
		{ "linux.readonlyPaths", c->readonly_paths.n > 0 },
	};

	if (c->ns[OCI_NS_MOUNT].wanted)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		if (users[i].used)
			return err_set(err, ERR_CONFIG, "%s: needs a mount namespace", users[i].field);
	return 0;
}

static int check_mounts(const struct oci_config *c, struct err *err)
{
	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct oci_mount *m = &c->mounts[i];

		if (m->bind && !m->source)
			return err_set(err, ERR_CONFIG, "mounts[%zu].source: is missing", i);
		if (!m->bind && !m->type)
			return err_set(err, ERR_CONFIG, "mounts[%zu].type: is missing", i);
		if (m->bind && m->data)
			return err_set(err, ERR_CONFIG,
				       "mounts[%zu].options: '%s' is for a file system, and a bind mount shows one "
				       "that is mounted already",
				       i, m->data);
		if (m->tmpcopyup && (m->bind || strcmp(m->type, "tmpfs") != 0))
			return err_set(err, ERR_CONFIG, "mounts[%zu].options: 'tmpcopyup' is for a tmpfs only", i);
	}
	return 0;
}

static int check_rlimits(const struct oci_process *p, struct err *err)
{
	unsigned int seen = 0;

	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct oci_rlimit *r = &p->rlimits[i];

		_Static_assert(RLIM_NLIMITS <= 32, "a bit for each limit");
		if (seen & (1u << r->resource))
			return err_set(err, ERR_CONFIG, "process.rlimits[%zu].type: '%s' is listed twice", i,
				       oci_rlimit_name(r->resource));
		seen |= 1u << r->resource;
		if (r->limit.rlim_cur > r->limit.rlim_max)
			return err_set(err, ERR_CONFIG, "process.rlimits[%zu].soft: is above the hard limit", i);
	}
	return 0;
}

/* What capset(2) would refuse. Ambient ones that are not permitted and inheritable are no error: `runc spec` itself writes such. */
static int check_capabilities(const struct oci_caps *caps, struct err *err)
{
	const struct {
		const char *field, *other;
		uint64_t set, within;
	} rules[] = {
		{ "effective", "permitted", caps->effective, caps->permitted },
		{ "inheritable", "bounding", caps->inheritable, caps->bounding },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		uint64_t extra = rules[i].set & ~rules[i].within;

		if (extra)
			return err_set(err, ERR_CONFIG, "process.capabilities.%s: %s is not in %s", rules[i].field,
				       oci_capability_name(__builtin_ctzll(extra)), rules[i].other);
	}
	return 0;
}

/* What sched_setattr(2) would ignore, or refuse without saying why. */
static int check_scheduler(const struct oci_scheduler *s, struct err *err)
{
	bool real_time = s->policy == SCHED_FIFO || s->policy == SCHED_RR, deadline = s->policy == SCHED_DEADLINE;

	if (!s->set)
		return 0;
	if (real_time && s->priority == 0)
		return err_set(err, ERR_CONFIG, "process.scheduler.priority: must be between 1 and 99");
	if (!real_time && s->priority)
		return err_set(err, ERR_CONFIG, "process.scheduler.priority: is for SCHED_FIFO and SCHED_RR");
	if (s->nice && s->policy != SCHED_NORMAL && s->policy != SCHED_BATCH)
		return err_set(err, ERR_CONFIG, "process.scheduler.nice: is for SCHED_OTHER and SCHED_BATCH");
	if (!deadline && (s->runtime_ns || s->deadline_ns || s->period_ns))
		return err_set(err, ERR_CONFIG,
			       "process.scheduler: runtime, deadline and period are for SCHED_DEADLINE");
	return 0;
}

static bool is_same_device(const struct oci_device *a, const struct oci_device *b)
{
	return a->type == b->type && a->major == b->major && a->minor == b->minor;
}

/* What is masked is bound from it, and streams that nobody has lead there. */
static bool is_other_null(const struct oci_device *d)
{
	return !strcmp(d->path, "/dev/null") && (d->type == 'b' || d->type == 'p' || d->major != 1 || d->minor != 3);
}

static int check_devices(const struct oci_config *c, struct err *err)
{
	for (size_t i = 0; i < c->n_devices; i++)
		if (is_other_null(&c->devices[i]))
			return err_set(
				err, ERR_CONFIG,
				"linux.devices[%zu]: '/dev/null' has to be the null device, character device 1:3", i);
	for (size_t i = 0; i < c->n_devices; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(c->devices[i].path, c->devices[k].path) &&
			    !is_same_device(&c->devices[i], &c->devices[k]))
				return err_set(err, ERR_CONFIG,
					       "linux.devices[%zu].path: '%s' is listed twice, as different devices", i,
					       c->devices[i].path);
	return 0;
}

/* swap is memory and swap together; -1 is no limit, 0 not set. */
int oci_resources_check(const struct oci_resources *r, struct err *err)
{
	int64_t limit = r->memory.limit.set ? r->memory.limit.v : 0;
	int64_t swap = r->memory.swap.set ? r->memory.swap.v : 0;

	if (swap > 0 && (limit > swap || limit < 0))
		return err_set(err, ERR_CONFIG, "linux.resources.memory.swap: is below memory.limit");
	return 0;
}

/* Only what a namespace of the container's own has: anything else would be changed for the host. */
static int check_one_sysctl(const struct oci_config *c, const char *key, struct err *err)
{
	char path[OCI_SYSCTL_PATH_MAX];
	enum oci_ns ns;

	if (oci_sysctl_path(key, path, err) < 0)
		return -1;
	if (!strcmp(path, "kernel/hostname"))
		return err_set(err, ERR_CONFIG, "is what 'hostname' is for");
	if (!strcmp(path, "kernel/domainname") && c->domainname)
		return err_set(err, ERR_CONFIG, "is what 'domainname' has set already");
	ns = oci_sysctl_ns(path);
	if (ns == OCI_NS_COUNT)
		return err_set(err, ERR_CONFIG, "is in no namespace: it would be changed for the whole host");
	if (!c->ns[ns].wanted)
		return err_set(err, ERR_CONFIG, "needs a namespace of type '%s': it would be changed for the host",
			       oci_ns_name(ns));
	return 0;
}

static int check_sysctl(const struct oci_config *c, struct err *err)
{
	for (size_t i = 0; i < c->sysctl_keys.n; i++)
		if (check_one_sysctl(c, c->sysctl_keys.v[i], err) < 0)
			return err_add(err, "linux.sysctl.%s", c->sysctl_keys.v[i]);
	return 0;
}

int oci_config_check(const struct oci_config *c, struct err *err)
{
	if (check_version(c, err) < 0 || check_name(c, "hostname", c->hostname, err) < 0 ||
	    check_name(c, "domainname", c->domainname, err) < 0 || check_mount_namespace(c, err) < 0 ||
	    check_mounts(c, err) < 0 || check_rlimits(&c->process, err) < 0 ||
	    check_capabilities(&c->process.caps, err) < 0 || check_scheduler(&c->process.scheduler, err) < 0 ||
	    check_devices(c, err) < 0 || oci_resources_check(&c->resources, err) < 0 || check_sysctl(c, err) < 0 ||
	    oci_check_ids(c, err) < 0)
		return -1;
	return 0;
}
