/* SPDX-License-Identifier: Apache-2.0 */
/* The five capability sets of the container's process.
 *
 * child_* run in it, shortly before execve. The bounding set comes first: to drop from it takes CAP_SETPCAP, which the other sets may
 * be about to lose. The ambient set comes last: it only takes what is permitted and inheritable by then. */
#include "shim/sandbox/caps.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/oci/names.h"

struct sets {
	uint64_t effective, permitted, inheritable;
};

/* Capabilities are 64 bits in two halves from version 3 on. */
static int get_sets(struct sets *ret, struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		return err_sys(err, "cannot read the capabilities");
	ret->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	ret->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	ret->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return 0;
}

static int set_sets(const struct sets *s, struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)s->effective, (uint32_t)s->permitted, (uint32_t)s->inheritable },
		{ (uint32_t)(s->effective >> 32), (uint32_t)(s->permitted >> 32), (uint32_t)(s->inheritable >> 32) },
	};

	if (syscall(SYS_capset, &header, data) < 0)
		return err_sys(err, "cannot set the capabilities");
	return 0;
}

bool caps_have(int cap)
{
	struct sets now;
	struct err ignored;

	return get_sets(&now, &ignored) == 0 && (now.effective & (1ull << cap));
}

/* 1 or 0; -1 beyond the last capability of this kernel. */
static int in_bounding(int cap)
{
	return prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
}

int caps_missing(const struct oci_caps *caps, uint64_t *ret_missing, struct err *err)
{
	uint64_t wanted = caps->permitted | caps->inheritable | caps->bounding, missing = 0;
	struct sets now;

	if (get_sets(&now, err) < 0)
		return -1;
	for (int cap = 0; cap < 64; cap++) {
		uint64_t bit = 1ull << cap;

		if ((wanted & bit) && (!(now.permitted & bit) || in_bounding(cap) != 1))
			missing |= bit;
	}
	*ret_missing = missing;
	return 0;
}

int child_caps_drop_bounding(const struct oci_caps *caps, struct err *err)
{
	for (int cap = 0; cap < 64; cap++) {
		int why, there;

		if ((caps->bounding & (1ull << cap)) || prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		/* EINVAL: the kernel has no more of them. Without privileges nothing can be dropped, not even what is not there. */
		why = errno;
		there = why == EINVAL ? -1 : in_bounding(cap);
		if (there < 0)
			break;
		if (there)
			return err_sysno(err, why, "cannot drop %s from the bounding set", oci_capability_name(cap));
	}
	return 0;
}

static int raise_ambient(uint64_t set, struct err *err)
{
	for (int cap = 0; cap < 64; cap++) {
		if (!(set & (1ull << cap)))
			continue;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return err_sys(err, "cannot raise %s in the ambient set", oci_capability_name(cap));
	}
	return 0;
}

int child_caps_apply(const struct oci_caps *caps, struct err *err)
{
	struct sets now, next;

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_sys(err, "cannot clear the ambient set");
	if (get_sets(&now, err) < 0)
		return -1;
	/* What is not permitted now can never be: the shim has warned of it. */
	next.permitted = caps->permitted & now.permitted;
	next.effective = caps->effective & now.permitted;
	next.inheritable = caps->inheritable & now.permitted;
	if (set_sets(&next, err) < 0)
		return -1;
	return raise_ambient(caps->ambient & next.permitted & next.inheritable, err);
}
