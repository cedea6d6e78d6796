/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines: options of every command; of `run --rootfs` and `exec` also the config that is made of them, which the shim's own reader then judges. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "client/command.h"
#include "client/exec_process.h"
#include "client/quick.h"
#include "common/fd.h"
#include "shim/container/exec_config.h"

#define WORDS_MAX 64

struct words {
	int n;
	char *v[WORDS_MAX + 1];
};

static void words_release(struct words *w)
{
	for (int i = 0; i < w->n; i++)
		free(w->v[i]);
}

/* What is made of the flags of a quick run. */
static void quick(struct launch_options *o, struct parsed *p)
{
	cleanup_json json_object *made = NULL;
	struct oci_config *config = NULL;
	struct err err = { 0 };
	const char *text;

	if (!o->rootfs || p->n_operands == 0)
		return;
	o->rootfs = "/nonexistent";
	if (quick_config(o, "id", p->operands, &made, &err) < 0) {
		fuzz_check_err(&err);
		return;
	}
	text = json_text(made);
	if (oci_config_parse(text, strlen(text), &config, &err) < 0) {
		fuzz_check_err(&err);
		/* What can be said of a config is more than the flags are judged for, but it is always JSON that is made, unless a flag was no text. */
		for (const char *c = text; *c; c++)
			if (*c & 0x80)
				return;
		FUZZ_CHECK(!strstr(err.text, ": line "));
		return;
	}
	FUZZ_CHECK(config->has_process && config->process.args.n == (size_t)p->n_operands);
	oci_config_free(config);
}

static void exec(struct exec_options *o, struct parsed *p)
{
	static const char base[] = "{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"true\"],\"cwd\":\"/"
				   "\"},\"root\":{\"path\":\"rootfs\"},"
				   "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}";
	cleanup_json json_object *made = NULL;
	struct oci_config *config = NULL;
	struct err err = { 0 };
	const char *text;

	if (p->n_operands < 2 || o->process)
		return;
	if (exec_process_overlay(o, "/nonexistent", p->operands + 1, &made, &err) < 0) {
		fuzz_check_err(&err);
		return;
	}
	text = json_text(made);
	if (exec_config_parse(base, text, strlen(text), false, &config, &err) < 0)
		fuzz_check_err(&err);
	else
		FUZZ_CHECK(config->process.args.n == (size_t)p->n_operands - 1);
	oci_config_free(config);
}

static void parse(const struct command *cmd, struct words *w)
{
	cleanup_free void *values = xcalloc(1, cmd->options_size);
	struct parsed p = { 0 };
	unsigned int how = cmd->needs & NEEDS_EARLY_STOP ? OPTIONS_STOP_EARLY : OPTIONS_EMPTY_IS_NONE;
	struct err err = { 0 };

	if (options_parse(cmd->options, values, w->n, w->v, how, &p, &err) < 0) {
		fuzz_check_err(&err);
	} else {
		FUZZ_CHECK(p.n_operands <= w->n && !p.operands[p.n_operands]);
		if (!strcmp(cmd->name, "run"))
			quick(values, &p);
		else if (!strcmp(cmd->name, "exec"))
			exec(values, &p);
	}
	parsed_release(&p);
	options_release(cmd->options, values);
}

/* The command's name and its words, each up to a NUL. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	cleanup_free char *name = fuzz_string(&in);
	const struct command *cmd = command_find(name);
	struct words w = { 0 };

	while (in.left > 0 && w.n < WORDS_MAX)
		w.v[w.n++] = fuzz_string(&in);
	if (cmd && cmd->options)
		parse(cmd, &w);
	words_release(&w);
	return 0;
}
