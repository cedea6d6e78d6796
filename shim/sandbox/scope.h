/* SPDX-License-Identifier: Apache-2.0 */
/* The systemd driver: the container's group is a transient scope of systemd's, started, changed and stopped through systemd's own tools
 * (systemd-run(1), systemctl(1)), which are given arguments and never a shell's string. The group's files are written by cgroup.c all the
 * same: the scope is delegated. */
#ifndef THOLE_SHIM_SANDBOX_SCOPE_H
#define THOLE_SHIM_SANDBOX_SCOPE_H

#include <sys/types.h>

#include "common/err.h"
#include "shim/oci/config.h"

#define SCOPE_ANNOTATION "org.systemd.property."

struct scope {
	char *slice; /* "system.slice" */
	char *unit;  /* "thole-ID.scope" */
	char *path;  /* the group, from a hierarchy's root: "/system.slice/thole-ID.scope" */
};

void scope_release(struct scope *s);

/* linux.cgroupsPath under this driver: "SLICE:PREFIX:NAME", as runc has it. Absent (NULL) or empty parts are system.slice, thole and the id; an empty
 * PREFIX between colons is none. ERR_CONFIG for what is no such path, or no slice. */
int scope_parse(const char *cgroups_path, const char *id, struct scope *ret, struct err *err);

/* A process that sits in the scope until the container's own do: an empty scope ends. */
struct scope_holder {
	pid_t pid; /* 0: none */
	int fd;    /* it lives as long as this is open */
};

#define SCOPE_HOLDER_NONE ((struct scope_holder) { .fd = -1 })

/* Start the scope, with what the annotations org.systemd.property.NAME ask for. Waits until systemd has made it, at most half a minute.
 * ERR_UNSUPPORTED: systemd is not the host's first process. */
int scope_start(const struct scope *s, const char *id, const struct oci_config *config, struct scope_holder *ret,
		struct err *err);
void scope_let_go(struct scope_holder *h);

/* Tell systemd the limits, so that it does not set others when it reads its units again. What it has no property for it does not touch. */
int scope_set_limits(const char *unit, const struct oci_resources *r, struct err *err);

/* Stop the scope, and forget that it has failed. Success when it is gone already. */
int scope_stop(const char *unit, struct err *err);

/* What the others are made of.
 * Append one string. */
void scope_add(struct oci_strings *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The arguments for systemctl set-property ("MemoryMax=1024"); caller frees. */
void scope_properties(const struct oci_resources *r, struct oci_strings *ret);

/* An annotation's value, in GVariant's text format, as systemd-run takes it: 'text', true, 5, uint64 5, ['a', 'b'] (one property each). NAME of
 * the form ...USec becomes ...Sec. ERR_CONFIG for anything else. Appends "NAME=VALUE" to ret. */
int scope_annotation(const char *name, const char *value, struct oci_strings *ret, struct err *err);

#endif
