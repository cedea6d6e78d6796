/* SPDX-License-Identifier: Apache-2.0 */
/* What the numbers of a config become in the files of v1 and v2, in which order, and how a refused one takes the others back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/sandbox/cgroup_plan.h"

struct fixture {
	char dir[64];
	struct cgroup *cg;
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/plan_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->cg = cgroup_rebuild();
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

static void assert_file(const struct fixture *f, const char *name, const char *text)
{
	cleanup_free char *path = xasprintf("%s/%s", f->dir, name), *got = NULL;
	struct err err;

	assert_int_equal(fd_read_file_at(AT_FDCWD, path, 4096, &got, &err), 0);
	assert_string_equal(got, text);
}

/* Every controller of v1 in one directory. */
static void use_v1(struct fixture *f)
{
	cgroup_rebuild_add(f->cg, "memory,cpu,cpuset,pids,blkio,hugetlb,net_cls,net_prio,rdma", f->dir, 0);
	put(f, "memory.memsw.limit_in_bytes", "");
}

static void use_v2(struct fixture *f)
{
	cgroup_rebuild_add(f->cg, "", f->dir, 0);
}

static struct oci_resources *parse(const char *text)
{
	struct oci_resources *r;
	struct err err = { 0 };

	if (oci_resources_parse("test", text, strlen(text), &r, &err) < 0)
		fail_msg("%s", err.text);
	return r;
}

/* The plan as "FILE=VALUE FILE=VALUE ...", or the error. */
static char *planned(struct fixture *f, const char *resources)
{
	cleanup_plan struct cgroup_plan plan = { 0 };
	struct oci_resources *r = parse(resources);
	struct err err = { 0 };
	char *out = xstrdup("");
	int n = cgroup_is_pure_v2(f->cg) ? cgroup_v2_plan(f->cg, r, &plan, &err)
					 : cgroup_v1_plan(f->cg, r, &plan, &err);

	if (n == 0)
		n = cgroup_plan_more(f->cg, r, &plan, &err);
	for (size_t i = 0; i < plan.n; i++) {
		char *longer = xasprintf("%s%s%s=%s", out, i ? " " : "", plan.v[i].file, plan.v[i].value);

		free(out);
		out = longer;
	}
	if (n < 0) {
		free(out);
		out = xasprintf("ERROR %s", err.text);
	}
	oci_resources_free(r);
	return out;
}

struct row {
	const char *resources, *want;
};

static void check_rows(struct fixture *f, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		cleanup_free char *got = planned(f, rows[i].resources);

		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s\n  got    %s\n  wanted %s", rows[i].resources, got, rows[i].want);
	}
}

/* covers: linux.resources.memory.{limit,swap,reservation,swappiness,disableOOMKiller}, linux.resources.cpu */
/* covers: linux.resources.pids.limit */
static void v1_files(void **state)
{
	static const struct row rows[] = {
		{ "{}", "" },
		{ "{\"memory\":{\"limit\":1048576}}", "memory.limit_in_bytes=1048576" },
		{ "{\"memory\":{\"limit\":1048576,\"swap\":2097152,\"reservation\":4096,\"swappiness\":0}}",
		  "memory.limit_in_bytes=1048576 memory.memsw.limit_in_bytes=2097152 memory.soft_limit_in_bytes=4096 "
		  "memory.swappiness=0" },
		{ "{\"memory\":{\"limit\":-1}}", "memory.memsw.limit_in_bytes=-1 memory.limit_in_bytes=-1" },
		{ "{\"memory\":{\"limit\":-1,\"swap\":-1}}",
		  "memory.limit_in_bytes=-1 memory.memsw.limit_in_bytes=-1" },
		{ "{\"memory\":{\"limit\":0,\"swap\":0,\"reservation\":0},\"cpu\":{\"shares\":0,\"quota\":0,\"period\":"
		  "0,\"cpus\":\"\"}}",
		  "" },
		{ "{\"memory\":{\"disableOOMKiller\":true}}", "memory.oom_control=1" },
		{ "{\"cpu\":{\"shares\":1024,\"quota\":-1,\"period\":50000,\"burst\":0,\"idle\":0}}",
		  "cpu.idle=0 cpu.shares=1024 cpu.cfs_period_us=50000 cpu.cfs_quota_us=-1 cpu.cfs_burst_us=0" },
		{ "{\"cpu\":{\"shares\":512,\"idle\":1}}", "cpu.idle=0 cpu.shares=512 cpu.idle=1" },
		{ "{\"cpu\":{\"idle\":1}}", "cpu.idle=1" },
		{ "{\"cpu\":{\"realtimeRuntime\":950000,\"realtimePeriod\":1000000}}",
		  "cpu.rt_period_us=1000000 cpu.rt_runtime_us=950000" },
		{ "{\"cpu\":{\"cpus\":\"0-1\",\"mems\":\"0\"}}", "cpuset.cpus=0-1 cpuset.mems=0" },
		{ "{\"pids\":{\"limit\":7}}", "pids.max=7" },
		{ "{\"pids\":{\"limit\":-1}}", "pids.max=max" },
	};
	struct fixture *f = *state;

	use_v1(f);
	check_rows(f, rows, ARRAY_SIZE(rows));
}

/* covers: linux.resources.memory.{limit,swap,reservation,checkBeforeUpdate} */
/* covers: linux.resources.cpu.{quota,period,shares,burst,idle,cpus,mems}, linux.resources.pids.limit */
static void v2_files(void **state)
{
	static const struct row rows[] = {
		{ "{\"memory\":{\"limit\":1048576}}", "memory.max=1048576" },
		{ "{\"memory\":{\"limit\":1048576,\"swap\":3145728}}", "memory.swap.max=2097152 memory.max=1048576" },
		{ "{\"memory\":{\"limit\":1048576,\"swap\":1048576}}", "memory.swap.max=0 memory.max=1048576" },
		{ "{\"memory\":{\"limit\":1048576,\"swap\":-1}}", "memory.swap.max=max memory.max=1048576" },
		{ "{\"memory\":{\"limit\":-1}}", "memory.swap.max=max memory.max=max" },
		/* The limit that holds is in memory.max. */
		{ "{\"memory\":{\"swap\":5242880}}", "memory.swap.max=1048576" },
		{ "{\"memory\":{\"swap\":1048576}}", "ERROR linux.resources.memory.swap: is below memory.limit" },
		{ "{\"memory\":{\"reservation\":4096}}", "memory.low=4096" },
		{ "{\"memory\":{\"limit\":4096,\"checkBeforeUpdate\":true}}",
		  "ERROR linux.resources.memory.limit: 8192 bytes are in use already" },
		{ "{\"memory\":{\"limit\":8192,\"checkBeforeUpdate\":true}}", "memory.max=8192" },
		{ "{\"cpu\":{\"quota\":20000,\"period\":50000}}", "cpu.max=20000 50000" },
		{ "{\"cpu\":{\"quota\":-1}}", "cpu.max=max" },
		/* The quota that holds is in cpu.max. */
		{ "{\"cpu\":{\"period\":50000}}", "cpu.max=30000 50000" },
		{ "{\"cpu\":{\"shares\":1024,\"burst\":5,\"idle\":1,\"cpus\":\"0\",\"mems\":\"0\"}}",
		  "cpu.idle=0 cpu.weight=100 cpu.max.burst=5 cpu.idle=1 cpuset.cpus=0 cpuset.mems=0" },
		{ "{\"cpu\":{\"shares\":1024,\"idle\":0}}", "cpu.idle=0 cpu.weight=100" },
		{ "{\"cpu\":{\"idle\":1}}", "cpu.idle=1" },
		{ "{\"pids\":{\"limit\":-5}}", "pids.max=max" },
		{ "{\"memory\":{\"swappiness\":10}}",
		  "ERROR linux.resources.memory.swappiness: cgroup v2 has no such thing" },
		{ "{\"memory\":{\"disableOOMKiller\":false},\"cpu\":{\"realtimeRuntime\":0}}", "" },
		{ "{\"cpu\":{\"realtimeRuntime\":5}}",
		  "ERROR linux.resources.cpu.realtimeRuntime: cgroup v2 has no such thing" },
	};
	struct fixture *f = *state;

	use_v2(f);
	put(f, "memory.max", "4194304\n");
	put(f, "memory.current", "8192\n");
	put(f, "cpu.max", "30000 100000\n");
	check_rows(f, rows, ARRAY_SIZE(rows));
}

static void v2_swap_needs_a_limit(void **state)
{
	static const struct row rows[] = {
		{ "{\"memory\":{\"swap\":1048576}}",
		  "ERROR linux.resources.memory.swap: cannot be limited without a limit of memory" },
		{ "{\"memory\":{\"swap\":-1}}", "memory.swap.max=max" },
	};
	struct fixture *f = *state;

	use_v2(f);
	put(f, "memory.max", "max\n");
	check_rows(f, rows, ARRAY_SIZE(rows));
}

/* covers: linux.resources.{hugepageLimits,rdma,network} */
/* covers: linux.resources.blockIO.{weight,leafWeight,throttleReadBpsDevice,throttleWriteIOPSDevice} */
/* covers: linux.resources.blockIO.weightDevice[].{major,minor,weight} */
static void v1_less_common(void **state)
{
	static const struct row rows[] = {
		{ "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}",
		  "hugetlb.2MB.limit_in_bytes=4194304 hugetlb.2MB.rsvd.limit_in_bytes=4194304" },
		{ "{\"hugepageLimits\":[{\"pageSize\":\"1GB\",\"limit\":0}]}",
		  "ERROR linux.resources.hugepageLimits[0]: no cgroup limits huge pages of 1GB here" },
		{ "{\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3,\"hcaObjects\":100},\"mlx4_0\":{\"hcaObjects\":1},\"x\":{}}"
		  "}",
		  "rdma.max=mlx5_1 hca_handle=3 hca_object=100 rdma.max=mlx4_0 hca_object=1" },
		{ "{\"network\":{\"classID\":1048577,\"priorities\":[{\"name\":\"eth0\",\"priority\":500},{\"name\":"
		  "\"lo\",\"priority\":0}]}}",
		  "net_cls.classid=1048577 net_prio.ifpriomap=eth0 500 net_prio.ifpriomap=lo 0" },
		{ "{\"network\":{\"classID\":0,\"priorities\":[]}}", "" },
		{ "{\"blockIO\":{\"weight\":500,\"weightDevice\":[{\"major\":8,\"minor\":16,\"weight\":300}]}}",
		  "blkio.bfq.weight=500 blkio.bfq.weight_device=8:16 300" },
		{ "{\"blockIO\":{\"leafWeight\":500}}",
		  "ERROR linux.resources.blockIO.leafWeight: the host's cgroups have no such weight" },
		{ "{\"blockIO\":{\"weight\":0,\"leafWeight\":0,\"weightDevice\":[],\"throttleReadBpsDevice\":[]}}",
		  "" },
		{ "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":600}],"
		  "\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":16,\"rate\":18446744073709551615}]}}",
		  "blkio.throttle.read_bps_device=8:0 600 blkio.throttle.write_iops_device=8:16 18446744073709551615" },
		{ "{\"unified\":{\"memory.high\":\"5\"}}",
		  "ERROR linux.resources.unified.memory.high: the host's cgroup v2 has no such file" },
	};
	static const char *const files[] = { "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.rsvd.limit_in_bytes",
					     "rdma.max", "blkio.bfq.weight", "blkio.bfq.weight_device" };
	struct fixture *f = *state;

	use_v1(f);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		put(f, files[i], "");
	check_rows(f, rows, ARRAY_SIZE(rows));
}

/* covers: linux.resources.blockIO.{leafWeight,weightDevice} */
static void v1_weights_of_leaves(void **state)
{
	static const struct row rows[] = {
		{ "{\"blockIO\":{\"weight\":500,\"leafWeight\":300}}", "blkio.weight=500 blkio.leaf_weight=300" },
		{ "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":16,\"weight\":300,\"leafWeight\":200}]}}",
		  "blkio.weight_device=8:16 300 blkio.leaf_weight_device=8:16 200" },
	};
	static const char *const files[] = { "blkio.weight", "blkio.weight_device", "blkio.leaf_weight",
					     "blkio.leaf_weight_device" };
	struct fixture *f = *state;

	use_v1(f);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		put(f, files[i], "");
	check_rows(f, rows, ARRAY_SIZE(rows));
}

/* covers: linux.resources.{hugepageLimits,unified} */
/* covers: linux.resources.blockIO.{weight,throttleReadBpsDevice,throttleReadIOPSDevice} */
/* covers: linux.resources.blockIO.weightDevice[].{major,minor,weight} */
static void v2_less_common(void **state)
{
	static const struct row rows[] = {
		{ "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":18446744073709551615}]}",
		  "hugetlb.2MB.max=18446744073709551615" },
		{ "{\"network\":{\"classID\":5}}",
		  "ERROR linux.resources.network.classID: no net_cls cgroup is mounted" },
		{ "{\"network\":{\"priorities\":[{\"name\":\"lo\",\"priority\":1}]}}",
		  "ERROR linux.resources.network.priorities[0]: no net_prio cgroup is mounted" },
		{ "{\"rdma\":{\"a\":{\"hcaHandles\":3}}}", "ERROR linux.resources.rdma.a: no cgroup limits RDMA here" },
		{ "{\"blockIO\":{\"weight\":10}}", "io.weight=default 1" },
		{ "{\"blockIO\":{\"weight\":1000,\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":505}]}}",
		  "io.weight=default 10000 io.weight=8:0 5000" },
		{ "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":600}],"
		  "\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":0}]}}",
		  "io.max=8:0 rbps=600 io.max=8:0 riops=max" },
		{ "{\"memory\":{\"limit\":4096},\"unified\":{\"memory.max\":\"8192\",\"io.weight\":\"default 7\"}}",
		  "memory.max=4096 memory.max=8192 io.weight=default 7" },
	};
	static const char *const files[] = { "hugetlb.2MB.max", "io.weight", "memory.max" };
	struct fixture *f = *state;

	use_v2(f);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		put(f, files[i], "");
	check_rows(f, rows, ARRAY_SIZE(rows));
	put(f, "io.bfq.weight", "");
	check_rows(f, &(struct row) { "{\"blockIO\":{\"weight\":10}}", "io.bfq.weight=10" }, 1);
}

static void bad_values_are_named(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "{\"hugepageLimits\":[{\"pageSize\":\"64kB\",\"limit\":1}]}",
		  "linux.resources.hugepageLimits[0].pageSize: must be a size such as 2MB or 1GB" },
		{ "{\"hugepageLimits\":[{\"pageSize\":\"../2MB\",\"limit\":1}]}",
		  "linux.resources.hugepageLimits[0].pageSize: must be a size such as 2MB or 1GB" },
		{ "{\"hugepageLimits\":[{\"pageSize\":\"2MB\"}]}",
		  "linux.resources.hugepageLimits[0].limit: is missing" },
		{ "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":-1}]}",
		  "linux.resources.hugepageLimits[0].limit: must be between 0 and 18446744073709551615" },
		{ "{\"rdma\":{\"a\":{\"hcaHandles\":\"3\"}}}",
		  "linux.resources.rdma.a.hcaHandles: must be an integer" },
		{ "{\"rdma\":{\"a\":{\"hcaHandles\":4294967296}}}",
		  "linux.resources.rdma.a.hcaHandles: must be between 0 and 4294967295" },
		{ "{\"rdma\":{\"a b\":{}}}", "linux.resources.rdma.a b: is no name of a device" },
		{ "{\"unified\":{\"a/b.c\":\"\"}}",
		  "linux.resources.unified.a/b.c: is no file of a control group's limits" },
		{ "{\"unified\":{\"..\":\"\"}}", "linux.resources.unified...: is no file of a control group's limits" },
		/* That would be somebody else's process, killed with the container. */
		{ "{\"unified\":{\"cgroup.procs\":\"1\"}}",
		  "linux.resources.unified.cgroup.procs: is no file of a control group's limits" },
		{ "{\"unified\":{\"cgroup.threads\":\"1\"}}",
		  "linux.resources.unified.cgroup.threads: is no file of a control group's limits" },
		{ "{\"unified\":{\"cgroup.max.depth\":\"1\",\"cgroup.freeze\":\"1\"}}",
		  "linux.resources.unified.cgroup.freeze: is no file of a control group's limits" },
		{ "{\"unified\":{\"memory.max\":5}}", "linux.resources.unified.memory.max: must be a string" },
		{ "{\"unified\":[]}", "linux.resources.unified: must be an object" },
		{ "{\"blockIO\":{\"weight\":9}}", "linux.resources.blockIO.weight: must be between 10 and 1000" },
		{ "{\"blockIO\":{\"weight\":1001}}", "linux.resources.blockIO.weight: must be between 0 and 1000" },
		{ "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0}]}}",
		  "linux.resources.blockIO.throttleReadBpsDevice[0].rate: is missing" },
		{ "{\"network\":{\"priorities\":[{\"name\":\"a b\",\"priority\":1}]}}",
		  "linux.resources.network.priorities[0].name: must not have blanks in it" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct oci_resources *r;
		struct err err = { 0 };

		if (oci_resources_parse("test", rows[i].text, strlen(rows[i].text), &r, &err) == 0)
			fail_msg("not refused: %s", rows[i].text);
		assert_string_equal(err.text, rows[i].want);
	}
}

static void shares_become_weights(void **state)
{
	static const struct {
		uint64_t shares, weight;
	} rows[] = { { 0, 1 },      { 1, 1 },      { 2, 1 },          { 512, 59 },
		     { 1024, 100 }, { 2048, 174 }, { 262144, 10000 }, { UINT64_MAX, 10000 } };
	uint64_t last = 1;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(cgroup_v2_weight(rows[i].shares), rows[i].weight);
	for (uint64_t s = 2; s < 262144; s += 97) {
		uint64_t w = cgroup_v2_weight(s);

		assert_true(w >= last && w >= 1 && w <= 10000);
		last = w;
	}
}

static void add_all(struct fixture *f, struct cgroup_plan *plan, const char *const *pairs)
{
	for (; pairs[0]; pairs += 2)
		cgroup_plan_add(plan, &f->cg->h[0], pairs[0], pairs[0], "%s", pairs[1]);
}

/* It can be read, and no write to it succeeds: EIO. */
static void put_stubborn(struct fixture *f, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", f->dir, name);

	assert_int_equal(symlink("/proc/version", path), 0);
}

static void a_refused_value_takes_the_others_back(void **state)
{
	static const char *const values[] = { "a", "1\n", "b", "2\n", "refuses", "3\n", "c", "4\n", NULL };
	cleanup_plan struct cgroup_plan plan = { 0 };
	struct fixture *f = *state;
	struct err err = { 0 };

	use_v2(f);
	put(f, "a", "5\n");
	put(f, "b", "6\n");
	put(f, "c", "7\n");
	put_stubborn(f, "refuses");
	add_all(f, &plan, values);
	assert_int_equal(cgroup_plan_run(&plan, true, &err), -1);
	assert_true(err_is_sys(&err, EIO));
	assert_ptr_equal(strstr(err.text, "refuses: "), err.text);
	assert_null(strstr(err.text, "set back"));
	assert_file(f, "a", "5\n");
	assert_file(f, "b", "6\n");
	assert_file(f, "c", "7\n");
}

static void at_create_what_was_written_stays(void **state)
{
	static const char *const values[] = { "a", "1\n", "refuses", "3\n", NULL };
	cleanup_plan struct cgroup_plan plan = { 0 };
	struct fixture *f = *state;
	struct err err = { 0 };

	use_v2(f);
	put(f, "a", "5\n");
	put_stubborn(f, "refuses");
	add_all(f, &plan, values);
	assert_int_equal(cgroup_plan_run(&plan, false, &err), -1);
	assert_file(f, "a", "1\n");
}

static void a_line_of_a_device_is_set_back_alone(void **state)
{
	static const char *const values[] = { "io.max",  "8:16 rbps=5\n", "io.max", "8:32 rbps=6\n",
					      "refuses", "3\n",           NULL };
	cleanup_plan struct cgroup_plan plan = { 0 };
	struct fixture *f = *state;
	struct err err = { 0 };

	use_v2(f);
	put(f, "io.max", "8:0 rbps=1 wbps=max\n8:16 rbps=2 wbps=max\n");
	put_stubborn(f, "refuses");
	add_all(f, &plan, values);
	plan.v[0].reset = xstrdup("8:16 rbps=max");
	plan.v[1].reset = xstrdup("8:32 rbps=max");
	assert_int_equal(cgroup_plan_run(&plan, true, &err), -1);
	assert_string_equal(plan.v[0].old, "8:16 rbps=2 wbps=max");
	assert_string_equal(plan.v[1].old, "8:32 rbps=max");
}

/* On v2 the group and what the kernel lists becomes the user's, the limits stay; on v1 nothing does. */
static void delegation_gives_the_listed_files(void **state)
{
	struct fixture *f = *state;
	static const char *const files[] = { "cgroup.procs", "cgroup.threads", "memory.max", "list" };
	static const uid_t owners[] = { 4242, 0, 0, 0 };
	cleanup_free char *list = xasprintf("%s/list", f->dir);
	struct stat st;
	struct err err;

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		put(f, files[i], "");
	put(f, "list", "cgroup.procs\nno.such.file\n");
	cgroup_rebuild_add(f->cg, "", f->dir, strlen(f->dir));
	assert_int_equal(cgroup_delegate(f->cg, list, 4242, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *path = xasprintf("%s/%s", f->dir, files[i]);

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_uid, owners[i]);
	}
	assert_int_equal(stat(f->dir, &st), 0);
	assert_int_equal(st.st_uid, 4242);
	assert_int_equal(cgroup_delegate(f->cg, "/no/such/list", 4243, &err), 0);
	assert_int_equal(stat(f->dir, &st), 0);
	assert_int_equal(st.st_uid, 4243);
	cgroup_rebuild_add(f->cg, "memory", f->dir, strlen(f->dir));
	assert_int_equal(cgroup_delegate(f->cg, list, 4244, &err), 0);
	assert_int_equal(stat(f->dir, &st), 0);
	assert_int_equal(st.st_uid, 4243);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(v1_files),
		TEST(v2_files),
		TEST(v2_swap_needs_a_limit),
		TEST(v1_less_common),
		TEST(v1_weights_of_leaves),
		TEST(v2_less_common),
		TEST(bad_values_are_named),
		TEST(shares_become_weights),
		TEST(a_refused_value_takes_the_others_back),
		TEST(at_create_what_was_written_stays),
		TEST(a_line_of_a_device_is_set_back_alone),
		TEST(delegation_gives_the_listed_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
