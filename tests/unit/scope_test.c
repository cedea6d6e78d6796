/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of linux.cgroupsPath, resources and annotations under the systemd driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "shim/sandbox/scope.h"

static void names(void **state)
{
	static const struct {
		const char *path, *unit, *where;
	} rows[] = {
		{ NULL, "thole-c1.scope", "/system.slice/thole-c1.scope" },
		{ "", "thole-c1.scope", "/system.slice/thole-c1.scope" },
		{ "::", "c1.scope", "/system.slice/c1.scope" },
		{ "system.slice:runc:x", "runc-x.scope", "/system.slice/runc-x.scope" },
		{ ":docker:x", "docker-x.scope", "/system.slice/docker-x.scope" },
		{ "user-1000.slice::y", "y.scope", "/user.slice/user-1000.slice/y.scope" },
		{ "a-b-c.slice:p:n", "p-n.scope", "/a.slice/a-b.slice/a-b-c.slice/p-n.scope" },
		{ "-.slice:p:n", "p-n.scope", "/p-n.scope" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scope s = { 0 };
		struct err err;

		assert_int_equal(scope_parse(rows[i].path, "c1", &s, &err), 0);
		assert_string_equal(s.unit, rows[i].unit);
		assert_string_equal(s.path, rows[i].where);
		scope_release(&s);
	}
}

static void bad_names(void **state)
{
	static const char *const rows[] = { "/a/b",           "a:b",           "a.slice:b:c:d",  "a:b:c",
					    "a--b.slice:p:n", "-a.slice:p:n",  "a-.slice:p:n",   ".slice:p:n",
					    "a.slice:p/q:n",  "a/b.slice:p:n", "a.slice:p:../x", "a.slice:p:n n" };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scope s = { 0 };
		struct err err;

		assert_int_equal(scope_parse(rows[i], "c1", &s, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_non_null(strstr(err.text, "linux.cgroupsPath"));
		assert_null(s.unit);
	}
}

/* Joined by spaces; frees s. */
static char *joined(struct oci_strings *s)
{
	char *text = xstrdup("");

	for (size_t i = 0; i < s->n; i++) {
		char *longer = xasprintf("%s%s%s", text, i ? " " : "", s->v[i]);

		free(text);
		free(s->v[i]);
		text = longer;
	}
	free(s->v);
	return text;
}

static void properties_of(const char *json, const char *want)
{
	struct oci_strings s = { 0 };
	struct oci_resources *r;
	struct err err;
	char *got;

	assert_int_equal(oci_resources_parse("test", json, strlen(json), &r, &err), 0);
	scope_properties(r, &s);
	got = joined(&s);
	assert_string_equal(got, want);
	free(got);
	oci_resources_free(r);
}

static void properties(void **state)
{
	properties_of("{}", "");
	properties_of("{\"memory\":{\"limit\":1024,\"reservation\":512,\"swap\":3072}}",
		      "MemoryMax=1024 MemoryLow=512 MemorySwapMax=2048");
	properties_of("{\"memory\":{\"limit\":-1,\"swap\":-1}}", "MemoryMax=infinity MemorySwapMax=infinity");
	properties_of("{\"cpu\":{\"shares\":1024,\"quota\":50000,\"period\":100000}}",
		      "CPUWeight=100 CPUQuota=50.00% CPUQuotaPeriodSec=100000us");
	properties_of("{\"cpu\":{\"quota\":33333}}", "CPUQuota=33.34% CPUQuotaPeriodSec=100000us");
	properties_of("{\"cpu\":{\"quota\":-1}}", "CPUQuota= CPUQuotaPeriodSec=100000us");
	properties_of("{\"cpu\":{\"cpus\":\"0-1\",\"mems\":\"0\"}}", "AllowedCPUs=0-1 AllowedMemoryNodes=0");
	properties_of("{\"pids\":{\"limit\":-1}}", "TasksMax=infinity");
	properties_of("{\"unified\":{\"memory.high\":\"max\",\"pids.max\":\"7\",\"io.max\":\"x\"}}",
		      "MemoryHigh=infinity TasksMax=7");
}

static void annotations(void **state)
{
	static const struct {
		const char *name, *value, *want; /* NULL: refused */
	} rows[] = {
		{ "CollectMode", "'inactive-or-failed'", "CollectMode=inactive-or-failed" },
		{ "TimeoutStopUSec", "uint64 123456789", "TimeoutStopSec=123456789us" },
		{ "SendSIGHUP", "true", "SendSIGHUP=yes" },
		{ "CPUWeight", "50", "CPUWeight=50" },
		{ "Nice", "int32 -5", "Nice=-5" },
		{ "Wants", "['a.service', 'b.service']", "Wants=a.service Wants=b.service" },
		{ "X", "", NULL },
		{ "X", "'a", NULL },
		{ "X", "5 6", NULL },
		{ "X", "['a' 'b']", NULL },
		{ "X", "['a',]", NULL },
		{ "X", "bare", NULL },
		{ "", "5", NULL },
		{ "X=Y", "5", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct oci_strings s = { 0 };
		struct err err;
		int r = scope_annotation(rows[i].name, rows[i].value, &s, &err);
		char *got = joined(&s);

		assert_int_equal(r, rows[i].want ? 0 : -1);
		if (rows[i].want)
			assert_string_equal(got, rows[i].want);
		else
			assert_non_null(strstr(err.text, SCOPE_ANNOTATION));
		free(got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(bad_names),
		cmocka_unit_test(properties),
		cmocka_unit_test(annotations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
