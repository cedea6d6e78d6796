/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices a container may use, on cgroup v2: a BPF program, made from the rules of the config. */
#ifndef THOLE_SHIM_SANDBOX_CGROUP_BPF_H
#define THOLE_SHIM_SANDBOX_CGROUP_BPF_H

#include <linux/bpf.h>
#include <stddef.h>

#include "shim/oci/config.h"

struct bpf_program {
	size_t n;
	struct bpf_insn *v;
};

/* Everything is denied, then the rules are asked from the last to the first, as v1 lets the later one win, `after` (which may be empty) being later than `rules`. A rule
 * matches when it covers the device, and decides about each of its accesses by itself: what it does not name is left to the rules before it. Caller frees ret->v. */
void bpf_device_program(const struct oci_device_rule *rules, size_t n_rules, const struct oci_device_rule *after,
			size_t n_after, struct bpf_program *ret);

/* Load it and make it the group's only device program; those that were there are taken off once it is. `cgroup_fd`: the group's directory. */
int bpf_device_attach(int cgroup_fd, const struct bpf_program *program, struct err *err);

#endif
