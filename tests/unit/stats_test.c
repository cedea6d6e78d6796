/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics and notices of a v2 group made of plain files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/sandbox/cgroup_notice.h"
#include "shim/sandbox/net_stats.h"
#include "shim/sandbox/stats.h"

struct fixture {
	char dir[64];
	struct cgroup *cg;
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/stats_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->cg = cgroup_rebuild();
	cgroup_rebuild_add(f->cg, "", f->dir, 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	DIR *d = opendir(f->dir);
	struct dirent *e;

	while ((e = readdir(d)))
		unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(f->dir);
	cgroup_free(f->cg);
	free(f);
	return 0;
}

static void put(const struct fixture *f, const char *name, const char *text)
{
	cleanup_free char *path = xasprintf("%s/%s", f->dir, name);
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void assert_stats(struct fixture *f, const char *key, const char *want)
{
	struct json_object *data = stats_read(f->cg, NULL, 0), *o;

	assert_true(json_object_object_get_ex(data, key, &o));
	assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), want);
	json_object_put(data);
}

static void cpu_in_nanoseconds(void **state)
{
	struct fixture *f = *state;

	put(f, "cpu.stat",
	    "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 4\nnr_throttled 3\nthrottled_usec 70\n");
	put(f, "cpu.pressure",
	    "some avg10=1.50 avg60=0.25 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 "
	    "total=18446744073709551615\n");
	assert_stats(f, "cpu",
		     "{\"usage\":{\"total\":1500000,\"kernel\":500000,\"user\":1000000},"
		     "\"throttling\":{\"periods\":4,\"throttledPeriods\":3,\"throttledTime\":70000},"
		     "\"psi\":{\"some\":{\"avg10\":1.5,\"avg60\":0.25,\"avg300\":0.0,\"total\":77},"
		     "\"full\":{\"avg10\":0.0,\"avg60\":0.0,\"avg300\":0.0,\"total\":18446744073709551615}}}");
}

static void memory_with_swap_as_on_v1(void **state)
{
	struct fixture *f = *state;

	put(f, "memory.current", "4096\n");
	put(f, "memory.max", "8192\n");
	put(f, "memory.peak", "6000\n");
	put(f, "memory.swap.current", "100\n");
	put(f, "memory.swap.max", "1000\n");
	put(f, "memory.stat", "anon 11\nfile 22\n");
	put(f, "memory.events", "low 0\nhigh 0\nmax 5\noom 1\noom_kill 1\n");
	assert_stats(f, "memory",
		     "{\"cache\":22,\"usage\":{\"limit\":8192,\"usage\":4096,\"max\":6000,\"failcnt\":5},"
		     "\"swap\":{\"limit\":9192,\"usage\":4196,\"failcnt\":0},"
		     "\"kernel\":{\"limit\":0,\"failcnt\":0},\"kernelTCP\":{\"limit\":0,\"failcnt\":0},\"raw\":{"
		     "\"anon\":11,\"file\":22}}");
	put(f, "memory.max", "max\n");
	put(f, "memory.stat", "");
	assert_stats(f, "memory",
		     "{\"usage\":{\"limit\":18446744073709551615,\"usage\":4096,\"max\":6000,\"failcnt\":5},"
		     "\"swap\":{\"limit\":18446744073709551615,\"usage\":4196,\"failcnt\":0},"
		     "\"kernel\":{\"limit\":0,\"failcnt\":0},\"kernelTCP\":{\"limit\":0,\"failcnt\":0},\"raw\":{}}");
}

static void io_pids_cpuset_hugetlb(void **state)
{
	struct fixture *f = *state;

	put(f, "io.stat", "8:16 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n254:0 \n");
	assert_stats(f, "blkio",
		     "{\"ioServiceBytesRecursive\":[{\"major\":8,\"minor\":16,\"op\":\"Read\",\"value\":10},"
		     "{\"major\":8,\"minor\":16,\"op\":\"Write\",\"value\":20},{\"major\":8,\"minor\":16,\"op\":"
		     "\"Discard\"}],"
		     "\"ioServicedRecursive\":[{\"major\":8,\"minor\":16,\"op\":\"Read\",\"value\":1},"
		     "{\"major\":8,\"minor\":16,\"op\":\"Write\",\"value\":2},{\"major\":8,\"minor\":16,\"op\":"
		     "\"Discard\"}]}");
	put(f, "pids.current", "3\n");
	put(f, "pids.max", "max\n");
	assert_stats(f, "pids", "{\"current\":3}");
	put(f, "pids.max", "9\n");
	assert_stats(f, "pids", "{\"current\":3,\"limit\":9}");
	put(f, "hugetlb.2MB.current", "2097152\n");
	put(f, "hugetlb.2MB.events", "max 6\n");
	put(f, "hugetlb.2MB.rsvd.current", "1\n");
	assert_stats(f, "hugetlb", "{\"2MB\":{\"usage\":2097152,\"failcnt\":6}}");
	put(f, "cpuset.cpus", "0-2,7\n");
	put(f, "cpuset.mems", "\n");
	assert_stats(
		f, "cpuset",
		"{\"cpus\":[0,1,2,7],\"cpu_exclusive\":0,\"mem_hardwall\":0,\"mem_exclusive\":0,\"memory_migrate\":0,"
		"\"memory_spread_page\":0,\"memory_spread_slab\":0,\"memory_pressure\":0,\"sched_load_balance\":0,"
		"\"sched_relax_domain_level\":0}");
}

/* Files that are not there, or are not what they should be, are no more than missing numbers. */
static void rubbish_is_no_harm(void **state)
{
	static const char *const files[] = { "cpu.stat",    "cpu.pressure",  "memory.stat",
					     "memory.max",  "io.stat",       "pids.max",
					     "cpuset.cpus", "memory.events", "hugetlb.2MB.current" };
	static const char *const texts[] = {
		"", "\n\n", "x", "0-", "9-1,", "1-99999999999", "8:1 rbytes=", "some avg10=", "usage_usec", "a b c\n"
	};
	struct fixture *f = *state;

	for (size_t t = 0; t < ARRAY_SIZE(texts); t++) {
		for (size_t i = 0; i < ARRAY_SIZE(files); i++)
			put(f, files[i], texts[t]);
		json_object_put(stats_read(f->cg, NULL, 0));
	}
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void oom_is_heard_when_the_count_grows(void **state)
{
	struct fixture *f = *state;
	struct cgroup_notice n = CGROUP_NOTICE_NONE;
	struct err err = { 0 };

	put(f, "memory.events", "max 0\noom_kill 1\n");
	if (cgroup_notice_oom(f->cg, &n, &err) < 0)
		fail_msg("%s", err.text);
	assert_false(readable(n.fd));
	assert_false(cgroup_notice_read(&n));
	put(f, "memory.events", "max 8\noom_kill 1\n");
	assert_true(readable(n.fd));
	assert_false(cgroup_notice_read(&n));
	put(f, "memory.events", "max 9\noom_kill 2\n");
	assert_true(cgroup_notice_read(&n));
	assert_false(cgroup_notice_read(&n));
	cgroup_notice_close(&n);
}

static void a_host_that_counts_no_memory_says_so(void **state)
{
	struct fixture *f = *state;
	struct cgroup_notice n = CGROUP_NOTICE_NONE;
	struct err err = { 0 };

	assert_int_equal(cgroup_notice_oom(f->cg, &n, &err), -1);
	assert_int_equal(cgroup_notice_pressure(f->cg, PRESSURE_LOW, &n, &err), -1);
	assert_int_equal(cgroup_notice_pressure(f->cg, PRESSURE_NONE, &n, &err), -1);
	assert_int_equal(err.code, ERR_USAGE);
	assert_int_equal(n.fd, -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cpu_in_nanoseconds),
		TEST(memory_with_swap_as_on_v1),
		TEST(io_pids_cpuset_hugetlb),
		TEST(rubbish_is_no_harm),
		TEST(oom_is_heard_when_the_count_grows),
		TEST(a_host_that_counts_no_memory_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
