/* SPDX-License-Identifier: Apache-2.0 */
/* System call filters: compiled by the shim before the clone, loaded by the container's process.
 *
 * libseccomp makes the program and never loads it: after the clone nothing may allocate, and the filter must not apply to the shim. */
#include "shim/sandbox/seccomp.h"

#include <limits.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "common/fd.h"
#include "common/log.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* x32 shares the architecture value of x86_64 and marks its calls with this bit. */
#define X32_BIT 0x40000000u

#define ERRNO_MAX 4094 /* libseccomp stays below the kernel's 4095 */
#define TRACE_MAX 0xffff
#define ARCHS_MAX 32 /* of one filter */

/* clang-format off */
static const struct action {
	const char *name;
	uint32_t value;
	uint32_t data_max; /* largest errnoRet; 0: it takes none */
} actions[] = {
	{ "SCMP_ACT_KILL",         SCMP_ACT_KILL_THREAD,  0 },
	{ "SCMP_ACT_KILL_THREAD",  SCMP_ACT_KILL_THREAD,  0 },
	{ "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, 0 },
	{ "SCMP_ACT_TRAP",         SCMP_ACT_TRAP,         0 },
	{ "SCMP_ACT_ERRNO",        SCMP_ACT_ERRNO(0),     ERRNO_MAX },
	{ "SCMP_ACT_TRACE",        SCMP_ACT_TRACE(0),     TRACE_MAX },
	{ "SCMP_ACT_ALLOW",        SCMP_ACT_ALLOW,        0 },
	{ "SCMP_ACT_LOG",          SCMP_ACT_LOG,          0 },
	{ "SCMP_ACT_NOTIFY",       SCMP_ACT_NOTIFY,       0 },
};

static const struct {
	const char *name;
	enum scmp_compare op;
} operators[] = {
	{ "SCMP_CMP_NE",        SCMP_CMP_NE },
	{ "SCMP_CMP_LT",        SCMP_CMP_LT },
	{ "SCMP_CMP_LE",        SCMP_CMP_LE },
	{ "SCMP_CMP_EQ",        SCMP_CMP_EQ },
	{ "SCMP_CMP_GE",        SCMP_CMP_GE },
	{ "SCMP_CMP_GT",        SCMP_CMP_GT },
	{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
};

static const struct {
	const char *name;
	unsigned int flag;
} flags[] = {
	{ "SECCOMP_FILTER_FLAG_TSYNC",              SECCOMP_FILTER_FLAG_TSYNC },
	{ "SECCOMP_FILTER_FLAG_LOG",                SECCOMP_FILTER_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW",         SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
};

/* The names of libseccomp's headers are missing where it is too old for one: seccomp_arch_add then says so. */
static const struct {
	const char *name;
	uint32_t token;
} archs[] = {
	{ "SCMP_ARCH_X86",         SCMP_ARCH_X86 },
	{ "SCMP_ARCH_X86_64",      SCMP_ARCH_X86_64 },
	{ "SCMP_ARCH_X32",         SCMP_ARCH_X32 },
	{ "SCMP_ARCH_ARM",         SCMP_ARCH_ARM },
	{ "SCMP_ARCH_AARCH64",     SCMP_ARCH_AARCH64 },
	{ "SCMP_ARCH_LOONGARCH64", AUDIT_ARCH_LOONGARCH64 },
	{ "SCMP_ARCH_M68K",        AUDIT_ARCH_M68K },
	{ "SCMP_ARCH_MIPS",        SCMP_ARCH_MIPS },
	{ "SCMP_ARCH_MIPS64",      SCMP_ARCH_MIPS64 },
	{ "SCMP_ARCH_MIPS64N32",   SCMP_ARCH_MIPS64N32 },
	{ "SCMP_ARCH_MIPSEL",      SCMP_ARCH_MIPSEL },
	{ "SCMP_ARCH_MIPSEL64",    SCMP_ARCH_MIPSEL64 },
	{ "SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32 },
	{ "SCMP_ARCH_PPC",         SCMP_ARCH_PPC },
	{ "SCMP_ARCH_PPC64",       SCMP_ARCH_PPC64 },
	{ "SCMP_ARCH_PPC64LE",     SCMP_ARCH_PPC64LE },
	{ "SCMP_ARCH_S390",        SCMP_ARCH_S390 },
	{ "SCMP_ARCH_S390X",       SCMP_ARCH_S390X },
	{ "SCMP_ARCH_SH",          AUDIT_ARCH_SHEL },
	{ "SCMP_ARCH_SHEB",        AUDIT_ARCH_SH },
	{ "SCMP_ARCH_PARISC",      SCMP_ARCH_PARISC },
	{ "SCMP_ARCH_PARISC64",    SCMP_ARCH_PARISC64 },
	{ "SCMP_ARCH_RISCV64",     SCMP_ARCH_RISCV64 },
};
/* clang-format on */

/* What is being built. */
struct build {
	scmp_filter_ctx ctx;
	uint32_t default_action;
	bool notifies;
	size_t n_archs;
	uint32_t arch[ARCHS_MAX];
	int64_t highest[ARCHS_MAX]; /* number that the profile names for it; -1: none */
};

static void cleanup_ctx_fn(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

/* An action word with its errno as libseccomp's one number. */
static int action_value(const char *field, const char *name, const struct oci_u64 *errno_ret, uint32_t *ret_value,
			struct err *err)
{
	const struct action *a = NULL;
	uint64_t data = errno_ret->set ? errno_ret->v : EPERM;

	for (size_t i = 0; i < ARRAY_SIZE(actions) && !a; i++)
		if (!strcmp(actions[i].name, name))
			a = &actions[i];
	if (!a)
		return err_set(err, ERR_CONFIG, "%s: unknown action '%s'", field, name);
	if (errno_ret->set && !a->data_max)
		return err_set(err, ERR_CONFIG, "%s: '%s' cannot carry an errno", field, name);
	if (a->data_max && data > a->data_max)
		return err_set(err, ERR_CONFIG, "%s: its errnoRet must be at most %u", field, a->data_max);
	*ret_value = a->data_max ? a->value | (uint32_t)data : a->value;
	return 0;
}

static int add_arch(struct build *b, uint32_t token)
{
	for (size_t i = 0; i < b->n_archs; i++)
		if (b->arch[i] == token)
			return 0;
	if (token != seccomp_arch_native()) {
		int r = seccomp_arch_add(b->ctx, token);

		if (r < 0 && r != -EEXIST)
			return r;
	}
	b->highest[b->n_archs] = -1;
	b->arch[b->n_archs++] = token;
	return 0;
}

/* The native one is always in a filter. */
static int add_archs(struct build *b, const struct oci_strings *names, struct err *err)
{
	_Static_assert(ARRAY_SIZE(archs) < ARCHS_MAX, "room for each of them once");
	add_arch(b, seccomp_arch_native());
	for (size_t i = 0; i < names->n; i++) {
		size_t k = 0;
		int r;

		while (k < ARRAY_SIZE(archs) && strcmp(archs[k].name, names->v[i]) != 0)
			k++;
		if (k == ARRAY_SIZE(archs))
			return err_set(err, ERR_CONFIG, "linux.seccomp.architectures[%zu]: unknown architecture '%s'",
				       i, names->v[i]);
		r = add_arch(b, archs[k].token);
		if (r < 0)
			return err_sysno(err, -r, "linux.seccomp.architectures[%zu]: cannot filter for '%s' here", i,
					 names->v[i]);
	}
	return 0;
}

static int collect_flags(const struct oci_strings *names, unsigned int *ret_flags, struct err *err)
{
	unsigned int all = 0;

	for (size_t i = 0; i < names->n; i++) {
		size_t k = 0;

		while (k < ARRAY_SIZE(flags) && strcmp(flags[k].name, names->v[i]) != 0)
			k++;
		if (k == ARRAY_SIZE(flags))
			return err_set(err, ERR_CONFIG, "linux.seccomp.flags[%zu]: unknown flag '%s'", i, names->v[i]);
		all |= flags[k].flag;
	}
	*ret_flags = all;
	return 0;
}

/* ---- rules ---- */

static int convert_arg(const char *field, const struct oci_seccomp_arg *arg, struct scmp_arg_cmp *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		if (!strcmp(operators[i].name, arg->op)) {
			*ret = (struct scmp_arg_cmp) { arg->index, operators[i].op, arg->value, arg->value_two };
			return 0;
		}
	}
	return err_set(err, ERR_CONFIG, "%s.op: unknown operator '%s'", field, arg->op);
}

/* Two conditions on one argument are alternatives to every runtime, and more than libseccomp takes in one rule: each becomes a rule
 * of its own. */
static bool has_repeated_index(const struct scmp_arg_cmp *cmp, size_t n)
{
	unsigned int seen = 0;

	for (size_t i = 0; i < n; i++) {
		if (seen & (1u << cmp[i].arg))
			return true;
		seen |= 1u << cmp[i].arg;
	}
	return false;
}

static int add_syscall(struct build *b, uint32_t action, int nr, const struct scmp_arg_cmp *cmp, unsigned int n)
{
	if (!has_repeated_index(cmp, n))
		return seccomp_rule_add_array(b->ctx, action, nr, n, cmp);
	for (unsigned int i = 0; i < n; i++) {
		int r = seccomp_rule_add_array(b->ctx, action, nr, 1, &cmp[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Negative numbers are libseccomp's own, for calls that this architecture has not or has only inside another one. */
static void note_highest(struct build *b, const char *name)
{
	for (size_t i = 0; i < b->n_archs; i++) {
		int nr = seccomp_syscall_resolve_name_arch(b->arch[i], name);

		if (nr > b->highest[i])
			b->highest[i] = nr;
	}
}

static int add_names(struct build *b, const struct oci_seccomp_rule *rule, uint32_t action,
		     const struct scmp_arg_cmp *cmp, const char *field, struct err *err)
{
	for (size_t i = 0; i < rule->names.n; i++) {
		const char *name = rule->names.v[i];
		int nr = seccomp_syscall_resolve_name(name), r;

		if (nr == __NR_SCMP_ERROR) {
			log_debug("%s.names[%zu]: '%s' is not known here, skipped", field, i, name);
			continue;
		}
		note_highest(b, name);
		/* libseccomp refuses a rule that changes nothing. */
		if (action == b->default_action)
			continue;
		r = add_syscall(b, action, nr, cmp, (unsigned int)rule->n_args);
		if (r < 0)
			return err_sysno(err, -r, "%s.names[%zu]: cannot add the rule for '%s'", field, i, name);
	}
	return 0;
}

/* With it the container's process hands the descriptor over: nobody could answer before. */
static int check_notified(const struct oci_seccomp_rule *rule, const char *field, struct err *err)
{
	for (size_t i = 0; i < rule->names.n; i++)
		if (!strcmp(rule->names.v[i], "sendmsg"))
			return err_set(err, ERR_CONFIG,
				       "%s.names[%zu]: SCMP_ACT_NOTIFY is not possible for 'sendmsg': it carries the "
				       "descriptor to who answers",
				       field, i);
	return 0;
}

static int add_rule(struct build *b, const struct oci_seccomp_rule *rule, size_t index, struct err *err)
{
	cleanup_free struct scmp_arg_cmp *cmp = xcalloc(rule->n_args, sizeof(*cmp));
	char field[64], sub[96];
	uint32_t action;

	snprintf(field, sizeof(field), "linux.seccomp.syscalls[%zu]", index);
	snprintf(sub, sizeof(sub), "%s.action", field);
	if (action_value(sub, rule->action, &rule->errno_ret, &action, err) < 0)
		return -1;
	if (action == SCMP_ACT_NOTIFY && check_notified(rule, field, err) < 0)
		return -1;
	b->notifies |= action == SCMP_ACT_NOTIFY;
	for (size_t i = 0; i < rule->n_args; i++) {
		snprintf(sub, sizeof(sub), "%s.args[%zu]", field, i);
		if (convert_arg(sub, &rule->args[i], &cmp[i], err) < 0)
			return -1;
	}
	return add_names(b, rule, action, cmp, field, err);
}

/* ---- the program ---- */

/* ENOSYS for what is newer than the profile, put in front of libseccomp's program, per architecture of the filter:
 *
 *          ld   [arch]
 *          jne  #ARCH, next                (falls through to the next architecture)
 *          ld   [nr]
 *          jgt  #highest, newer, program
 *   next:  ...
 *          ja   program                    (no architecture of ours: libseccomp's program knows what to do)
 *   newer: ret  ERRNO(ENOSYS)
 *   program:
 *
 * x86_64 and x32 share one value, and are told apart by a bit of the number. A number of -1 is a call that a tracer has cancelled:
 * it goes to the program. Only loads of arch and nr and jumps: the kernel can still see in advance which calls are always allowed,
 * and run no filter for them.
 *
 * Targets are written as these two numbers while the length of the stub is not known, and resolved at the end. */
#define TO_NEWER 254
#define TO_PROGRAM 255
#define STUB_MAX (ARCHS_MAX * 6 + 3)
_Static_assert(STUB_MAX < TO_NEWER, "conditional jumps have 8 bits, and two of the values are taken");

struct stub {
	size_t n;
	struct sock_filter code[STUB_MAX];
};

static void stub_add(struct stub *s, unsigned int code, uint32_t k, uint8_t when_true, uint8_t when_false)
{
	s->code[s->n++] = (struct sock_filter) { (uint16_t)code, when_true, when_false, k };
}

static int64_t highest_of(const struct build *b, uint32_t token)
{
	for (size_t i = 0; i < b->n_archs; i++)
		if (b->arch[i] == token)
			return b->highest[i];
	return -1;
}

/* The calls of one architecture. Nothing is newer than a profile that names none of them. */
static void stub_arch(struct stub *s, const struct build *b, uint32_t token)
{
	int64_t highest = highest_of(b, token), x32_highest = highest_of(b, SCMP_ARCH_X32);
	size_t start = s->n;

	stub_add(s, BPF_JMP | BPF_JEQ | BPF_K, token, 0, 0);
	stub_add(s, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	stub_add(s, BPF_JMP | BPF_JEQ | BPF_K, UINT32_MAX, TO_PROGRAM, 0);
	if (token == SCMP_ARCH_X86_64 && x32_highest >= 0)
		stub_add(s, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)x32_highest, TO_NEWER, 0);
	if (token == SCMP_ARCH_X86_64)
		stub_add(s, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, TO_PROGRAM, 0);
	stub_add(s, BPF_JMP | BPF_JGT | BPF_K, highest < 0 ? UINT32_MAX : (uint32_t)highest, TO_NEWER, TO_PROGRAM);
	s->code[start].jf = (uint8_t)(s->n - start - 1);
}

static uint8_t stub_resolve(const struct stub *s, size_t at, uint8_t target)
{
	if (target == TO_NEWER)
		return (uint8_t)(s->n - 1 - (at + 1));
	if (target == TO_PROGRAM)
		return (uint8_t)(s->n - (at + 1));
	return target;
}

static void stub_make(struct stub *s, const struct build *b)
{
	stub_add(s, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	for (size_t i = 0; i < b->n_archs; i++)
		if (b->arch[i] != SCMP_ARCH_X32)
			stub_arch(s, b, b->arch[i]);
	stub_add(s, BPF_JMP | BPF_JA, 1, 0, 0);
	stub_add(s, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
	for (size_t i = 0; i < s->n; i++) {
		s->code[i].jt = stub_resolve(s, i, s->code[i].jt);
		s->code[i].jf = stub_resolve(s, i, s->code[i].jf);
	}
}

/* A default of kill, trap or trace was asked for by name, and allow or log let newer calls through anyhow. */
static bool wants_stub(const struct build *b)
{
	return (b->default_action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO &&
	       (b->default_action & SECCOMP_RET_DATA) != ENOSYS;
}

/* libseccomp writes programs only into files. */
static int export(struct build *b, char **ret_code, size_t *ret_size, struct err *err)
{
	cleanup_fd int fd = memfd_create("seccomp", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return err_sys(err, "cannot make a memory file for the seccomp filter");
	r = seccomp_export_bpf(b->ctx, fd);
	if (r < 0)
		return err_sysno(err, -r, "linux.seccomp: cannot make the filter");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "cannot read the seccomp filter");
	return fd_read_all(fd, sizeof(struct sock_filter) * (USHRT_MAX + 1), ret_code, ret_size, err);
}

static int assemble(struct build *b, struct seccomp_program *ret, struct err *err)
{
	cleanup_free char *code = NULL;
	struct sock_filter *filter;
	struct stub stub = { 0 };
	size_t size, n;

	if (export(b, &code, &size, err) < 0)
		return -1;
	if (wants_stub(b))
		stub_make(&stub, b);
	n = stub.n + size / sizeof(*filter);
	if (n > BPF_MAXINSNS)
		return err_set(err, ERR_LIMIT, "linux.seccomp: the filter has %zu instructions, the kernel takes %d", n,
			       BPF_MAXINSNS);
	filter = xcalloc(n, sizeof(*filter));
	memcpy(filter, stub.code, stub.n * sizeof(*filter));
	memcpy(filter + stub.n, code, size);
	ret->filter = filter;
	ret->len = (unsigned short)n;
	return 0;
}

/* TSYNC and a listener want to return two things, and there is one thread. WAIT_KILLABLE_RECV says nothing without a listener, and is refused then. */
static unsigned int flags_of(const struct build *b, unsigned int wanted)
{
	if (b->notifies)
		return (wanted & ~(unsigned int)SECCOMP_FILTER_FLAG_TSYNC) | SECCOMP_FILTER_FLAG_NEW_LISTENER;
	return wanted & ~(unsigned int)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
}

int seccomp_compile(const struct oci_seccomp *s, struct seccomp_program *ret, struct err *err)
{
	__attribute__((cleanup(cleanup_ctx_fn))) scmp_filter_ctx ctx = NULL;
	struct build b = { 0 };
	unsigned int collected = 0;

	if (!s->set) {
		*ret = (struct seccomp_program) { 0 };
		return 0;
	}
	if (action_value("linux.seccomp.defaultAction", s->default_action, &s->default_errno_ret, &b.default_action,
			 err) < 0)
		return -1;
	if (b.default_action == SCMP_ACT_NOTIFY)
		return err_set(
			err, ERR_CONFIG,
			"linux.seccomp.defaultAction: must not be SCMP_ACT_NOTIFY: nobody could answer the first "
			"call");
	if (collect_flags(&s->flags, &collected, err) < 0)
		return -1;
	ctx = b.ctx = seccomp_init(b.default_action);
	if (!ctx)
		return err_set(err, ERR_UNSUPPORTED, "linux.seccomp.defaultAction: '%s' is not possible here",
			       s->default_action);
	if (add_archs(&b, &s->architectures, err) < 0)
		return -1;
	for (size_t i = 0; i < s->n_rules; i++)
		if (add_rule(&b, &s->rules[i], i, err) < 0)
			return -1;
	if (b.notifies && !s->listener_path)
		return err_set(err, ERR_CONFIG, "linux.seccomp.listenerPath: is missing: SCMP_ACT_NOTIFY needs it");
	if (assemble(&b, ret, err) < 0)
		return -1;
	ret->flags = flags_of(&b, collected);
	ret->notifies = b.notifies;
	return 0;
}

void seccomp_program_release(struct seccomp_program *p)
{
	free(p->filter);
	*p = (struct seccomp_program) { 0 };
}

int child_seccomp_load(const struct seccomp_program *p, int *ret_listener, struct err *err)
{
	struct sock_fprog prog = { .len = p->len, .filter = p->filter };
	long r;

	if (p->len == 0)
		return 0;
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, p->flags, &prog);
	if (r < 0)
		return err_sys(err, "cannot load the seccomp filter");
	if (p->notifies) {
		*ret_listener = (int)r;
		return 0;
	}
	if (r > 0) /* TSYNC: the thread that could not follow */
		return err_set(err, ERR_INTERNAL, "cannot load the seccomp filter into thread %ld", r);
	return 0;
}

/* A flag that the kernel takes makes it look at the missing program. */
static bool kernel_takes(unsigned int flag)
{
	if (flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	return flag && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, NULL) < 0 && errno == EFAULT;
}

const char *seccomp_word(enum seccomp_list list, size_t i)
{
	switch (list) {
	case SECCOMP_ACTIONS:
		return i < ARRAY_SIZE(actions) ? actions[i].name : NULL;
	case SECCOMP_OPERATORS:
		return i < ARRAY_SIZE(operators) ? operators[i].name : NULL;
	case SECCOMP_ARCHS:
		return i < ARRAY_SIZE(archs) ? archs[i].name : NULL;
	case SECCOMP_KNOWN_FLAGS:
		return i < ARRAY_SIZE(flags) ? flags[i].name : NULL;
	case SECCOMP_SUPPORTED_FLAGS:
		return i >= ARRAY_SIZE(flags) ? NULL : kernel_takes(flags[i].flag) ? flags[i].name : "";
	case SECCOMP_LISTS:
		break;
	}
	return NULL;
}
