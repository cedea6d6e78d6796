/* SPDX-License-Identifier: Apache-2.0 */
/* Capability sets: what /proc/self/status says after they were applied, in children of root's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/sandbox/caps.h"

#define BIT(c) (1ull << CAP_##c)

struct seen {
	uint64_t inheritable, permitted, effective, bounding, ambient, missing;
	int failed;
	struct err err;
};

struct setup {
	const struct oci_caps *caps;
	uint64_t give_up; /* taken from the child's own sets before */
	uid_t uid;        /* 0: stay root */
};

static void read_status(struct seen *s)
{
	static const char *const names[] = { "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:" };
	uint64_t *const to[] = { &s->inheritable, &s->permitted, &s->effective, &s->bounding, &s->ambient };
	int fd = open("/proc/self/status", O_RDONLY);
	char text[8192];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	if (n < 0)
		_exit(70);
	text[n] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *p = strstr(text, names[i]);

		if (!p || sscanf(p + strlen(names[i]), "%lx", to[i]) != 1)
			_exit(71);
	}
	close(fd);
}

static void give_up(uint64_t caps)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	syscall(SYS_capget, &header, data);
	for (int i = 0; i < 2; i++) {
		uint32_t half = (uint32_t)(caps >> (32 * i));

		data[i].effective &= ~half;
		data[i].permitted &= ~half;
		data[i].inheritable &= ~half;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		_exit(72);
}

static void in_child(const struct setup *setup, struct seen *s)
{
	if (setup->give_up)
		give_up(setup->give_up);
	s->failed = caps_missing(setup->caps, &s->missing, &s->err);
	if (s->failed == 0)
		s->failed = child_caps_drop_bounding(setup->caps, &s->err);
	if (s->failed < 0)
		return;
	if (setup->uid) {
		prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
		if (setgroups(0, NULL) < 0 || setgid(setup->uid) < 0 || setuid(setup->uid) < 0)
			_exit(73);
	}
	s->failed = child_caps_apply(setup->caps, &s->err);
	read_status(s);
}

static struct seen apply(const struct setup *setup)
{
	struct seen *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct seen s;
	int status;
	pid_t pid;

	assert_ptr_not_equal(shared, MAP_FAILED);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		in_child(setup, shared);
		/* Not _exit: the sanitizers' own looks for leaks, as a user who may not. */
		for (;;)
			syscall(SYS_exit_group, 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	s = *shared;
	munmap(shared, sizeof(*shared));
	return s;
}

static void assert_sets(const struct seen *s, const struct oci_caps *caps)
{
	if (s->failed)
		fail_msg("%s", s->err.text);
	assert_int_equal(s->bounding, caps->bounding);
	assert_int_equal(s->permitted, caps->permitted);
	assert_int_equal(s->effective, caps->effective);
	assert_int_equal(s->inheritable, caps->inheritable);
	assert_int_equal(s->ambient, caps->ambient);
}

static void nothing_in_the_config_is_nothing(void **state)
{
	struct oci_caps none = { 0 };
	struct seen s = apply(&(struct setup) { .caps = &none });

	assert_sets(&s, &none);
	assert_int_equal(s.missing, 0);
}

/* covers: process.capabilities */
static void five_sets_are_exact(void **state)
{
	struct oci_caps caps = {
		.set = true,
		.bounding = BIT(CHOWN) | BIT(KILL) | BIT(NET_RAW) | BIT(SETUID) | BIT(AUDIT_READ),
		.permitted = BIT(CHOWN) | BIT(KILL) | BIT(NET_RAW) | BIT(AUDIT_READ),
		.effective = BIT(CHOWN) | BIT(AUDIT_READ),
		.inheritable = BIT(CHOWN) | BIT(NET_RAW),
		.ambient = BIT(CHOWN),
	};
	static const uid_t users[] = { 0, 1000 };

	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		struct seen s = apply(&(struct setup) { .caps = &caps, .uid = users[i] });

		assert_sets(&s, &caps);
		assert_int_equal(s.missing, 0);
	}
}

/* As `runc spec` has it: ambient, but not inheritable. The kernel grants none. */
static void ambient_needs_inheritable(void **state)
{
	struct oci_caps caps = {
		.set = true, .bounding = BIT(KILL), .permitted = BIT(KILL), .effective = BIT(KILL), .ambient = BIT(KILL)
	};
	struct seen s = apply(&(struct setup) { .caps = &caps, .uid = 1000 });

	caps.ambient = 0;
	assert_sets(&s, &caps);
}

static void newer_capabilities_than_the_kernel_are_left_out(void **state)
{
	uint64_t future = 1ull << 63 | 1ull << 50;
	struct oci_caps caps = { .set = true,
				 .bounding = BIT(KILL) | future,
				 .permitted = BIT(KILL) | future,
				 .effective = BIT(KILL) | future,
				 .inheritable = BIT(KILL) | future,
				 .ambient = BIT(KILL) | future };
	struct seen s = apply(&(struct setup) { .caps = &caps });

	assert_int_equal(s.missing, future);
	caps.bounding = caps.permitted = caps.effective = caps.inheritable = caps.ambient = BIT(KILL);
	assert_sets(&s, &caps);
}

static void what_we_have_not_is_named_and_left_out(void **state)
{
	uint64_t both = BIT(KILL) | BIT(CHOWN);
	struct oci_caps caps = { .set = true,
				 .bounding = both,
				 .permitted = both,
				 .effective = both,
				 .inheritable = both,
				 .ambient = both };
	struct seen s = apply(&(struct setup) { .caps = &caps, .give_up = BIT(CHOWN), .uid = 1000 });

	assert_int_equal(s.missing, BIT(CHOWN));
	caps.permitted = caps.effective = caps.inheritable = caps.ambient = BIT(KILL);
	assert_sets(&s, &caps);
}

static void bounding_cannot_be_dropped_without_setpcap(void **state)
{
	struct oci_caps none = { .set = true };
	struct seen s = apply(&(struct setup) { .caps = &none, .give_up = BIT(SETPCAP) });

	assert_int_equal(s.failed, -1);
	assert_int_equal(s.err.code, ERR_SYS);
	assert_int_equal(s.err.sys_errno, EPERM);
	assert_string_equal(s.err.text, "cannot drop CAP_CHOWN from the bounding set: Operation not permitted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_in_the_config_is_nothing),
		cmocka_unit_test(five_sets_are_exact),
		cmocka_unit_test(ambient_needs_inheritable),
		cmocka_unit_test(newer_capabilities_than_the_kernel_are_left_out),
		cmocka_unit_test(what_we_have_not_is_named_and_left_out),
		cmocka_unit_test(bounding_cannot_be_dropped_without_setpcap),
	};

	if (geteuid() != 0) {
		puts("1..1\nok 1 - capabilities # skip needs: root");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
