/* SPDX-License-Identifier: Apache-2.0 */
/* Words of the specification that stand for one number of the kernel's, and the readers that turn them into it. */
#include "shim/oci/words.h"

#include <linux/sched.h>
#include <string.h>
#include <sys/personality.h>

#include "common/fd.h"

const struct oci_word oci_sched_policies[] = {
	{ "SCHED_OTHER", SCHED_NORMAL },
	{ "SCHED_FIFO", SCHED_FIFO },
	{ "SCHED_RR", SCHED_RR },
	{ "SCHED_BATCH", SCHED_BATCH },
	{ "SCHED_ISO", 4 /* reserved by the kernel, which refuses it */ },
	{ "SCHED_IDLE", SCHED_IDLE },
	{ "SCHED_DEADLINE", SCHED_DEADLINE },
	{ NULL, 0 },
};

const struct oci_word oci_sched_flags[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK },
	{ "SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM },
	{ "SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN },
	{ "SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY },
	{ "SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX },
	{ NULL, 0 },
};

/* Numbers of ioprio_set(2) and set_mempolicy(2); the kernel's headers have all of them only from 6.9 on. */
const struct oci_word oci_io_classes[] = {
	{ "IOPRIO_CLASS_RT", 1 },
	{ "IOPRIO_CLASS_BE", 2 },
	{ "IOPRIO_CLASS_IDLE", 3 },
	{ NULL, 0 },
};

const struct oci_word oci_memory_modes[] = {
	{ "MPOL_DEFAULT", 0 },
	{ "MPOL_PREFERRED", 1 },
	{ "MPOL_BIND", 2 },
	{ "MPOL_INTERLEAVE", 3 },
	{ "MPOL_LOCAL", 4 },
	{ "MPOL_PREFERRED_MANY", 5 },
	{ "MPOL_WEIGHTED_INTERLEAVE", 6 },
	{ NULL, 0 },
};

const struct oci_word oci_memory_flags[] = {
	{ "MPOL_F_NUMA_BALANCING", 1 << 13 },
	{ "MPOL_F_RELATIVE_NODES", 1 << 14 },
	{ "MPOL_F_STATIC_NODES", 1 << 15 },
	{ NULL, 0 },
};

const struct oci_word oci_personalities[] = {
	{ "LINUX", PER_LINUX },
	{ "LINUX32", PER_LINUX32 },
	{ NULL, 0 },
};

int read_word(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const struct oci_word *words = arg;
	const char *text;

	if (want_string(at, v, &text, err) < 0)
		return -1;
	while (words->name && strcmp(words->name, text) != 0)
		words++;
	if (!words->name)
		return refuse(at, err, ERR_CONFIG, "unknown word '%s'", text);
	*(uint64_t *)out = words->value;
	return 0;
}

int read_flag(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	uint64_t bit;

	if (read_word(at, v, &bit, arg, err) < 0)
		return -1;
	*(uint64_t *)out |= bit;
	return 0;
}

/* A number without sign and leading zeros, moved behind; false when there is none, or it is too large. */
static bool take_number(const char **p, unsigned int *ret)
{
	size_t n = strspn(*p, "0123456789");
	unsigned int value = 0;

	if (n == 0 || n > 5 || (n > 1 && **p == '0'))
		return false;
	for (size_t i = 0; i < n; i++)
		value = value * 10 + (unsigned int)((*p)[i] - '0');
	*p += n;
	*ret = value;
	return value < OCI_BITSET_MAX;
}

static bool parse_bitset(const char *p, struct oci_bitset *ret)
{
	for (;; p++) {
		unsigned int first, last;

		if (!take_number(&p, &first))
			return false;
		last = first;
		if (*p == '-' && (p++, !take_number(&p, &last) || last < first))
			return false;
		for (unsigned int i = first; i <= last; i++)
			ret->bits[i / OCI_BITS_PER_LONG] |= 1ul << (i % OCI_BITS_PER_LONG);
		if (*p != ',')
			return !*p;
	}
}

int read_bitset(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_bitset *set = out;
	const char *text;

	if (want_string(at, v, &text, err) < 0)
		return -1;
	if (!text[0])
		return 0;
	if (!parse_bitset(text, set))
		return refuse(at, err, ERR_CONFIG, "must be a list of numbers below %d, such as 0-2,7", OCI_BITSET_MAX);
	set->set = true;
	return 0;
}
