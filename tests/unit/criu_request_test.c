/* SPDX-License-Identifier: Apache-2.0 */
/* What criu is asked for a flag: by the client's tables, the JSON that rides beside the request, and the shim. */
#include "tests/unit/oci.h"

#include <sched.h>
#include <unistd.h>

#include "client/checkpoint.h"
#include "client/options.h"
#include "shim/checkpoint/options.h"
#include "shim/sandbox/cgroup.h"

struct request {
	char line[128]; /* what is parsed points there */
	struct checkpoint_options options;
	struct criu_plan plan;
	struct oci_config *config;
	struct cgroup *cgroup;
	int namespaces[OCI_NS_COUNT];
	size_t n_namespaces;
};

/* The words are those of one flag, parted by a blank. */
static void read_flag(struct request *r, const char *command, const char *flag, void *values)
{
	const struct option_row *rows = command_find(command)->options;
	char *rest, *argv[4] = { 0 };
	struct parsed p = { 0 };
	struct err err = { 0 };
	int argc = 0;

	snprintf(r->line, sizeof(r->line), "%s", flag);
	for (char *w = strtok_r(r->line, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
		argv[argc++] = w;
	if (options_parse(rows, values, argc, argv, 0, &p, &err) < 0)
		fail_msg("%s %s: %s", command, flag, err.text);
	parsed_release(&p);
}

/* What the client sends. */
static size_t to_json(const struct criu_options *o, char *buf, size_t size)
{
	struct checkpoint_files f cleanup_checkpoint_files = CHECKPOINT_FILES_NONE;
	const struct client cl = { .global.criu = "/bin/sh" };
	struct err err = { 0 };
	ssize_t n;

	if (checkpoint_files_open(&cl, o, false, &f, &err) < 0)
		fail_msg("%s", err.text);
	n = pread(f.options_fd, buf, size, 0);
	assert_true(n > 0 && (size_t)n < size);
	return (size_t)n;
}

static void request_init(struct request *r, const char *command, const char *flag)
{
	bool restore = !strcmp(command, "restore");
	struct restore_options values = { 0 };
	struct err err = { 0 };
	char json[4096];
	size_t len;
	int n;

	*r = (struct request) { .config = accept_with(""), .cgroup = cgroup_rebuild() };
	read_flag(r, command, flag, restore ? (void *)&values : &values.criu);
	values.criu.image_path = "/";
	len = to_json(&values.criu, json, sizeof(json));
	/* What this kernel does not have is refused when all of it has been read. */
	if (checkpoint_options_parse(json, len, &r->options, &err) < 0 && err.code != ERR_UNSUPPORTED)
		fail_msg("%s %s: %s", command, flag, err.text);
	n = restore ? criu_plan_restore(&r->plan, &r->options, r->config, "/", r->cgroup, r->namespaces,
					&r->n_namespaces, &err)
		    : criu_plan_dump(&r->plan, &r->options, r->config, getpid(), "/", r->cgroup, &err);
	if (n < 0)
		fail_msg("%s %s: %s", command, flag, err.text);
}

static void request_release(struct request *r)
{
	criu_plan_release(&r->plan);
	checkpoint_options_release(&r->options);
	cgroup_free(r->cgroup);
	oci_config_free(r->config);
}

/* Flags, words and sets of bits are of one size there. */
static int asked(const char *command, const char *flag, size_t has_offset, size_t offset)
{
	struct request r;
	const char *opts = (const char *)&r.plan.opts;
	int value = 0;

	request_init(&r, command, flag);
	if (*(const protobuf_c_boolean *)(opts + has_offset))
		memcpy(&value, opts + offset, sizeof(value));
	request_release(&r);
	return value;
}

/* covers: {checkpoint,restore} --{tcp-close,ext-unix-sk,shell-job,file-locks,empty-ns,manage-cgroups-mode,network-lock} */
static void criu_is_asked_for_what_a_flag_says(void **state)
{
#define OPT(field) offsetof(CriuOpts, has_##field), offsetof(CriuOpts, field)
	static const struct {
		const char *flag;
		size_t has_offset, offset;
		int with, without;
	} rows[] = {
		{ "--tcp-close", OPT(tcp_close), 1, 0 },
		{ "--ext-unix-sk", OPT(ext_unix_sk), 1, 0 },
		{ "--shell-job", OPT(shell_job), 1, 0 },
		{ "--file-locks", OPT(file_locks), 1, 0 },
		{ "--empty-ns network", OPT(empty_ns), CLONE_NEWNET, 0 },
		{ "--manage-cgroups-mode soft", OPT(manage_cgroups_mode), CRIU_CGROUP_MODE__CG_SOFT,
		  CRIU_CGROUP_MODE__CG_IGNORE },
		{ "--manage-cgroups-mode full", OPT(manage_cgroups_mode), CRIU_CGROUP_MODE__CG_FULL,
		  CRIU_CGROUP_MODE__CG_IGNORE },
		{ "--manage-cgroups-mode strict", OPT(manage_cgroups_mode), CRIU_CGROUP_MODE__CG_STRICT,
		  CRIU_CGROUP_MODE__CG_IGNORE },
		{ "--network-lock iptables", OPT(network_lock), CRIU_NETWORK_LOCK__LOCK_IPTABLES,
		  CRIU_NETWORK_LOCK__LOCK_SKIP },
		{ "--network-lock nftables", OPT(network_lock), CRIU_NETWORK_LOCK__LOCK_NFTABLES,
		  CRIU_NETWORK_LOCK__LOCK_SKIP },
	};
#undef OPT
	static const char *const commands[] = { "checkpoint", "restore" };

	for (size_t i = 0; i < ARRAY_SIZE(rows) * ARRAY_SIZE(commands); i++) {
		const char *command = commands[i % 2], *flag = rows[i / 2].flag;
		size_t has_offset = rows[i / 2].has_offset, offset = rows[i / 2].offset;
		int with = asked(command, flag, has_offset, offset);

		if (with != rows[i / 2].with)
			fail_msg("%s %s: criu is asked for %d", command, flag, with);
		assert_int_equal(asked(command, "", has_offset, offset), rows[i / 2].without);
	}
}

/* covers: restore --{lsm-profile,lsm-mount-context} */
static void criu_is_told_profile_and_context(void **state)
{
	struct request r;

	request_init(&r, "restore", "--lsm-profile apparmor:unconfined");
	assert_string_equal(r.plan.opts.lsm_profile, "apparmor:unconfined");
	assert_null(r.plan.opts.lsm_mount_context);
	request_release(&r);
	request_init(&r, "restore", "--lsm-mount-context system_u:object_r:x:s0");
	assert_string_equal(r.plan.opts.lsm_mount_context, "system_u:object_r:x:s0");
	assert_null(r.plan.opts.lsm_profile);
	request_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(criu_is_asked_for_what_a_flag_says),
		cmocka_unit_test(criu_is_told_profile_and_context),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
