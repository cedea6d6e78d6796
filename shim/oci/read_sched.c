/* SPDX-License-Identifier: Apache-2.0 */
/* How the kernel is to treat the process: scheduler, I/O priority, affinity, memory policy, personality. */
#include "shim/oci/read.h"
#include "shim/oci/words.h"

static int read_nice(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	int64_t n;

	if (want_i64(at, v, -20, 19, &n, err) < 0)
		return -1;
	*(int32_t *)out = (int32_t)n;
	return 0;
}

/* arg: the highest one. */
static int read_priority(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	uint64_t n;

	if (want_u64(at, v, *(const uint64_t *)arg, &n, err) < 0)
		return -1;
	*(uint32_t *)out = (uint32_t)n;
	return 0;
}

static int read_ns(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	return want_u64(at, v, UINT64_MAX, out, err);
}

/* ---- scheduler ---- */

static const uint64_t sched_priority_max = 99, io_priority_max = 7;
static const struct list sched_flag_list = LIST(0, read_flag, .arg = oci_sched_flags);

#define SCHED(field) offsetof(struct oci_scheduler, field)
static const struct row scheduler_rows[] = {
	ROW("policy", read_word, SCHED(policy), .arg = oci_sched_policies, .required = true),
	ROW("nice", read_nice, SCHED(nice)),
	ROW("priority", read_priority, SCHED(priority), .arg = &sched_priority_max),
	ROW("flags", read_list, SCHED(flags), .arg = &sched_flag_list),
	ROW("runtime", read_ns, SCHED(runtime_ns)),
	ROW("deadline", read_ns, SCHED(deadline_ns)),
	ROW("period", read_ns, SCHED(period_ns)),
};
static const struct table scheduler_table = TABLE(scheduler_rows);
const struct present oci_scheduler_present = { SCHED(set), 0, &scheduler_table };

/* ---- I/O priority ---- */

static const struct row io_priority_rows[] = {
	ROW("class", read_word, offsetof(struct oci_io_priority, class), .arg = oci_io_classes, .required = true),
	ROW("priority", read_priority, offsetof(struct oci_io_priority, priority), .arg = &io_priority_max),
};
static const struct table io_priority_table = TABLE(io_priority_rows);
const struct present oci_io_priority_present = { offsetof(struct oci_io_priority, set), 0, &io_priority_table };

/* ---- affinity ---- */

static const struct row affinity_rows[] = {
	ROW("initial", read_bitset, offsetof(struct oci_process, exec_affinity_initial)),
	ROW("final", read_bitset, offsetof(struct oci_process, exec_affinity_final)),
};
const struct table oci_affinity_table = TABLE(affinity_rows);

/* ---- memory policy ---- */

static const struct list memory_flag_list = LIST(0, read_flag, .arg = oci_memory_flags);

#define POLICY(field) offsetof(struct oci_memory_policy, field)
static const struct row memory_policy_rows[] = {
	ROW("mode", read_word, POLICY(mode), .arg = oci_memory_modes, .required = true),
	ROW("nodes", read_bitset, POLICY(nodes)),
	ROW("flags", read_list, POLICY(flags), .arg = &memory_flag_list),
};
static const struct table memory_policy_table = TABLE(memory_policy_rows);
const struct present oci_memory_policy_present = { POLICY(set), 0, &memory_policy_table };

/* ---- personality ---- */

static const struct row personality_rows[] = {
	ROW("domain", read_word, offsetof(struct oci_personality, domain), .arg = oci_personalities, .required = true),
	ROW("flags", refuse_not_done, 0), /* the specification knows none yet */
};
static const struct table personality_table = TABLE(personality_rows);
const struct present oci_personality_present = { offsetof(struct oci_personality, set), 0, &personality_table };
