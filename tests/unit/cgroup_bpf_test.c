/* SPDX-License-Identifier: Apache-2.0 */
/* The device program: run in a small interpreter, and by the kernel on a real group where there is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/sandbox/cgroup_bpf.h"

/* The instructions that the program is made of; -1 for any other, and for one that runs off the end. */
static int interpret(const struct bpf_program *p, const struct bpf_cgroup_dev_ctx *ctx)
{
	uint64_t r[11] = { 0 };

	for (size_t pc = 0; pc < p->n; pc++) {
		const struct bpf_insn *i = &p->v[pc];
		uint32_t *dst = (uint32_t *)&r[i->dst_reg];

		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			memcpy(dst, (const char *)ctx + i->off, 4);
			break;
		case BPF_ALU | BPF_MOV | BPF_X:
			r[i->dst_reg] = (uint32_t)r[i->src_reg];
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			r[i->dst_reg] = (uint64_t)i->imm;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			r[i->dst_reg] = *dst & (uint32_t)i->imm;
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			r[i->dst_reg] = *dst >> i->imm;
			break;
		case BPF_JMP32 | BPF_JNE | BPF_K:
			pc += *dst != (uint32_t)i->imm ? (size_t)i->off : 0;
			break;
		case BPF_JMP32 | BPF_JEQ | BPF_K:
			pc += *dst == (uint32_t)i->imm ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return (int)r[0];
		default:
			return -1;
		}
	}
	return -1;
}

static int asked(const struct bpf_program *p, char type, uint32_t major, uint32_t minor, const char *access)
{
	uint32_t bits = 0;

	for (; *access; access++)
		bits |= *access == 'r'   ? BPF_DEVCG_ACC_READ
			: *access == 'w' ? BPF_DEVCG_ACC_WRITE
					 : BPF_DEVCG_ACC_MKNOD;
	return interpret(p,
			 &(struct bpf_cgroup_dev_ctx) {
				 .access_type = bits << 16 | (type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR),
				 .major = major,
				 .minor = minor,
			 });
}

static void rules_decide_from_the_last(void **state)
{
	static const struct oci_device_rule rules[] = {
		{ false, 'a', -1, -1, "rwm" }, { true, 'c', 10, 200, "rwm" }, { true, 'b', 8, -1, "r" },
		{ false, 'b', 8, 16, "rw" },   { true, 'c', -1, 7, "r" },     { true, 'c', 20, 7, "w" },
	};
	static const struct {
		char type;
		uint32_t major, minor;
		const char *access;
		int want;
	} rows[] = {
		{ 'c', 10, 200, "rw", 1 },
		{ 'c', 10, 200, "m", 1 },
		{ 'c', 10, 201, "r", 0 },
		{ 'b', 10, 200, "r", 0 },
		{ 'b', 8, 1, "r", 1 },
		{ 'b', 8, 1, "rw", 0 },
		{ 'b', 8, 1, "w", 0 },
		{ 'b', 8, 16, "r", 0 },
		{ 'c', 1, 7, "r", 1 },
		{ 'c', 1, 7, "rw", 0 },
		/* Two rules together. */
		{ 'c', 20, 7, "rw", 1 },
		{ 'c', 20, 7, "rwm", 0 },
		{ 'c', 8, 1, "r", 0 },
	};
	struct bpf_program p;

	bpf_device_program(rules, ARRAY_SIZE(rules), NULL, 0, &p);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (asked(&p, rows[i].type, rows[i].major, rows[i].minor, rows[i].access) != rows[i].want)
			fail_msg("%c %u:%u %s is not %d", rows[i].type, rows[i].major, rows[i].minor, rows[i].access,
				 rows[i].want);
	free(p.v);
}

static void nothing_is_allowed_without_rules(void **state)
{
	struct bpf_program p;

	bpf_device_program(NULL, 0, NULL, 0, &p);
	assert_int_equal(asked(&p, 'c', 1, 3, "r"), 0);
	free(p.v);
}

static void later_rules_win(void **state)
{
	static const struct oci_device_rule all[] = { { true, 'a', -1, -1, "rwm" } },
					    none[] = { { false, 'a', -1, -1, "rwm" } },
					    null[] = { { true, 'c', 1, 3, "rw" } };
	struct bpf_program p;

	bpf_device_program(all, 1, none, 1, &p);
	assert_int_equal(asked(&p, 'c', 1, 3, "r"), 0);
	free(p.v);
	bpf_device_program(none, 1, all, 1, &p);
	assert_int_equal(asked(&p, 'b', 259, 0, "rwm"), 1);
	free(p.v);
	bpf_device_program(none, 1, null, 1, &p);
	assert_int_equal(asked(&p, 'c', 1, 3, "rw"), 1);
	assert_int_equal(asked(&p, 'c', 1, 5, "r"), 0);
	free(p.v);
}

/* ---- with the kernel ---------------------------------------------------------------------------------- */

static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

/* A group of our own below the v2 mount; NULL when there is none. Caller frees. */
static char *make_group(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		cleanup_free char *file = xasprintf("%s/cgroup.subtree_control", mounts[i]);
		char *dir = xasprintf("%s/thole-bpf-test-%d", mounts[i], (int)getpid());

		if (access(file, W_OK) == 0 && mkdir(dir, 0755) == 0)
			return dir;
		free(dir);
	}
	return NULL;
}

/* In a child in the group: errno of opening `path`, 0 for success. */
static int open_inside(const char *dir, const char *path)
{
	pid_t pid = fork();
	int status;

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		cleanup_free char *procs = xasprintf("%s/cgroup.procs", dir);
		struct err err;

		if (fd_write_file_at(AT_FDCWD, procs, "0", &err) < 0)
			_exit(255);
		_exit(open(path, O_RDONLY | O_CLOEXEC) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void attach(int fd, const struct oci_device_rule *rules, size_t n)
{
	struct bpf_program p;
	struct err err = { 0 };

	bpf_device_program(rules, n, NULL, 0, &p);
	if (bpf_device_attach(fd, &p, &err) < 0)
		fail_msg("%s", err.text);
	free(p.v);
}

static void the_kernel_obeys_and_the_new_replaces_the_old(void **state)
{
	static const struct oci_device_rule null_only[] = { { false, 'a', -1, -1, "rwm" }, { true, 'c', 1, 3, "rw" } },
					    zero_only[] = { { false, 'a', -1, -1, "rwm" }, { true, 'c', 1, 5, "r" } };
	cleanup_free char *dir = make_group();
	cleanup_fd int fd = -1;

	if (!dir) {
		print_message("no cgroup v2 that can be written to: not tried with the kernel\n");
		skip();
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	attach(fd, null_only, ARRAY_SIZE(null_only));
	assert_int_equal(open_inside(dir, "/dev/null"), 0);
	assert_int_equal(open_inside(dir, "/dev/zero"), EPERM);
	attach(fd, zero_only, ARRAY_SIZE(zero_only));
	assert_int_equal(open_inside(dir, "/dev/null"), EPERM);
	assert_int_equal(open_inside(dir, "/dev/zero"), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_decide_from_the_last),
		cmocka_unit_test(nothing_is_allowed_without_rules),
		cmocka_unit_test(later_rules_win),
		cmocka_unit_test(the_kernel_obeys_and_the_new_replaces_the_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
