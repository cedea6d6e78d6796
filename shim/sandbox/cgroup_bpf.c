/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices a container may use, on cgroup v2: a BPF program, made from the rules of the config.
 *
 * Runs in the shim, with CAP_BPF or CAP_SYS_ADMIN. The program is straight: no loops, no maps, no helpers; the kernel's verifier judges it. */
#include "shim/sandbox/cgroup_bpf.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"

#define ATTACHED_MAX 64

/* Registers. r1 is the context at the beginning. */
enum {
	R_RESULT = BPF_REG_0,
	R_CTX = BPF_REG_1,
	R_TYPE = BPF_REG_2,
	R_ACCESS = BPF_REG_3,
	R_MAJOR = BPF_REG_4,
	R_MINOR = BPF_REG_5,
	R_LEFT = BPF_REG_6
};

static void emit(struct bpf_program *p, __u8 code, __u8 dst, __u8 src, __s16 off, __s32 imm)
{
	p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
	p->v[p->n++] = (struct bpf_insn) { .code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm };
}

static void load(struct bpf_program *p, __u8 reg, size_t offset)
{
	emit(p, BPF_LDX | BPF_MEM | BPF_W, reg, R_CTX, (__s16)offset, 0);
}

static void leave(struct bpf_program *p, __s32 result)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, R_RESULT, 0, 0, result);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* access_type is (access << 16) | type. R_LEFT: the accesses about which no rule has decided yet. */
static void emit_start(struct bpf_program *p)
{
	load(p, R_ACCESS, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit(p, BPF_ALU | BPF_MOV | BPF_X, R_TYPE, R_ACCESS, 0, 0);
	emit(p, BPF_ALU | BPF_AND | BPF_K, R_TYPE, 0, 0, 0xffff);
	emit(p, BPF_ALU | BPF_RSH | BPF_K, R_ACCESS, 0, 0, 16);
	emit(p, BPF_ALU | BPF_MOV | BPF_X, R_LEFT, R_ACCESS, 0, 0);
	load(p, R_MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	load(p, R_MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
}

static int access_bits(const char *access)
{
	int bits = 0;

	for (; *access; access++)
		bits |= *access == 'r'   ? BPF_DEVCG_ACC_READ
			: *access == 'w' ? BPF_DEVCG_ACC_WRITE
					 : BPF_DEVCG_ACC_MKNOD;
	return bits;
}

/* "Not this rule" is a jump to the rule's end, which is known only then. */
static void emit_rule(struct bpf_program *p, const struct oci_device_rule *rule)
{
	int bits = access_bits(rule->access);
	size_t start = p->n;

	if (rule->type != 'a')
		emit(p, BPF_JMP32 | BPF_JNE | BPF_K, R_TYPE, 0, -1,
		     rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (rule->major >= 0)
		emit(p, BPF_JMP32 | BPF_JNE | BPF_K, R_MAJOR, 0, -1, (__s32)rule->major);
	if (rule->minor >= 0)
		emit(p, BPF_JMP32 | BPF_JNE | BPF_K, R_MINOR, 0, -1, (__s32)rule->minor);
	if (rule->allow) {
		/* What it allows is decided; with nothing left all of it is allowed. */
		emit(p, BPF_ALU | BPF_AND | BPF_K, R_LEFT, 0, 0, ~bits);
		emit(p, BPF_JMP32 | BPF_JNE | BPF_K, R_LEFT, 0, -1, 0);
		leave(p, 1);
	} else {
		/* One access that is denied and still undecided denies all. */
		emit(p, BPF_ALU | BPF_MOV | BPF_X, R_ACCESS, R_LEFT, 0, 0);
		emit(p, BPF_ALU | BPF_AND | BPF_K, R_ACCESS, 0, 0, bits);
		emit(p, BPF_JMP32 | BPF_JEQ | BPF_K, R_ACCESS, 0, -1, 0);
		leave(p, 0);
	}
	for (size_t i = start; i < p->n; i++)
		if (p->v[i].off == -1)
			p->v[i].off = (__s16)(p->n - i - 1);
}

/* The verifier allows a million, but what stands behind a rule for everything is never reached, and unreachable code it refuses. */
static bool decides_all(const struct oci_device_rule *r)
{
	return r->type == 'a' && r->major < 0 && r->minor < 0 && access_bits(r->access) == 7;
}

void bpf_device_program(const struct oci_device_rule *rules, size_t n_rules, const struct oci_device_rule *after,
			size_t n_after, struct bpf_program *ret)
{
	struct bpf_program p = { 0 };

	emit_start(&p);
	for (size_t i = n_rules + n_after; i-- > 0;) {
		const struct oci_device_rule *rule = i < n_rules ? &rules[i] : &after[i - n_rules];

		if (decides_all(rule)) {
			leave(&p, rule->allow);
			*ret = p;
			return;
		}
		emit_rule(&p, rule);
	}
	leave(&p, 0);
	*ret = p;
}

/* ---- loading and attaching -------------------------------------------------------------------------- */

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int load_program(const struct bpf_program *program, struct err *err)
{
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (__u64)(uintptr_t)program->v;
	attr.insn_cnt = (__u32)program->n;
	attr.license = (__u64)(uintptr_t) "Apache-2.0";
	memcpy(attr.prog_name, "thole_devices", sizeof("thole_devices"));
	fd = bpf(BPF_PROG_LOAD, &attr);
	return fd < 0 ? err_sys(err, "cannot load the BPF program") : fd;
}

/* The ids of the device programs of the group itself. */
static int query(int cgroup_fd, __u32 ids[ATTACHED_MAX], struct err *err)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (__u32)cgroup_fd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_cnt = ATTACHED_MAX;
	attr.query.prog_ids = (__u64)(uintptr_t)ids;
	if (bpf(BPF_PROG_QUERY, &attr) < 0)
		return err_sys(err, "cannot ask for the cgroup's BPF programs");
	return (int)attr.query.prog_cnt;
}

static int detach(int cgroup_fd, __u32 id, struct err *err)
{
	cleanup_fd int fd = -1;
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "cannot open an old BPF program");
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (__u32)cgroup_fd;
	attr.attach_bpf_fd = (__u32)fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	if (bpf(BPF_PROG_DETACH, &attr) < 0 && errno != ENOENT)
		return err_sys(err, "cannot take off an old BPF program");
	return 0;
}

/* Several programs of a group must all agree: while the old and the new one are there, less is allowed, never more. */
int bpf_device_attach(int cgroup_fd, const struct bpf_program *program, struct err *err)
{
	__u32 old[ATTACHED_MAX];
	int n = query(cgroup_fd, old, err);
	cleanup_fd int fd = n < 0 ? -1 : load_program(program, err);
	union bpf_attr attr;

	if (fd < 0)
		return -1;
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (__u32)cgroup_fd;
	attr.attach_bpf_fd = (__u32)fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (bpf(BPF_PROG_ATTACH, &attr) < 0)
		return err_sys(err, "cannot attach the BPF program");
	for (int i = 0; i < n; i++)
		if (detach(cgroup_fd, old[i], err) < 0)
			return -1;
	return 0;
}
