/* SPDX-License-Identifier: Apache-2.0 */
/* What this runtime can do, in the words of the specification. */
#include "shim/features.h"

#include <errno.h>
#include <json-c/json.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/json.h"
#include "shim/check.h"
#include "shim/oci/names.h"
#include "shim/oci/read.h"
#include "shim/oci/words.h"
#include "shim/sandbox/seccomp.h"

#define OCI_VERSION_MIN "1.0.0"
#define OCI_VERSION_MAX "1.3.0"

static struct json_object *object_at(struct json_object *o, const char *key)
{
	struct json_object *v = json_new_object();

	json_add(o, key, v);
	return v;
}

static void add_bool(struct json_object *o, const char *key, bool v)
{
	json_add(o, key, json_new_boolean(v));
}

static struct json_object *list_at(struct json_object *o, const char *key)
{
	struct json_object *v = json_new_array();

	json_add(o, key, v);
	return v;
}

static void append(struct json_object *list, const char *word)
{
	json_append(list, json_new_string(word));
}

static void add_words(struct json_object *o, const char *key, const struct oci_word *words)
{
	struct json_object *list = list_at(o, key);

	for (; words->name; words++)
		append(list, words->name);
}

static void add_seccomp(struct json_object *o)
{
	static const char *const keys[SECCOMP_LISTS] = {
		[SECCOMP_ACTIONS] = "actions",
		[SECCOMP_OPERATORS] = "operators",
		[SECCOMP_ARCHS] = "archs",
		[SECCOMP_KNOWN_FLAGS] = "knownFlags",
		[SECCOMP_SUPPORTED_FLAGS] = "supportedFlags",
	};

	add_bool(o, "enabled", true);
	for (int i = 0; i < SECCOMP_LISTS; i++) {
		struct json_object *list = list_at(o, keys[i]);
		const char *word;

		for (size_t k = 0; (word = seccomp_word((enum seccomp_list)i, k)); k++)
			if (word[0])
				append(list, word);
	}
}

static void add_cgroup(struct json_object *o)
{
	add_bool(o, "v1", true);
	add_bool(o, "v2", true);
	add_bool(o, "systemd", true);
	add_bool(o, "systemdUser", false);
	add_bool(o, "rdma", true);
}

/* What can be asked for; whether the machine has it is another matter. */
static void add_rdt(struct json_object *o)
{
	add_bool(o, "enabled", true);
	add_bool(o, "schemata", true);
	add_bool(o, "monitoring", true);
}

static void add_linux(struct json_object *o)
{
	struct json_object *list = list_at(o, "namespaces"), *policy;

	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		append(list, oci_ns_name((enum oci_ns)i));
	list = list_at(o, "capabilities");
	for (int cap = 0; oci_capability_name(cap)[4] != '?'; cap++)
		append(list, oci_capability_name(cap));
	add_cgroup(object_at(o, "cgroup"));
	add_seccomp(object_at(o, "seccomp"));
	add_bool(object_at(o, "apparmor"), "enabled", true);
	add_bool(object_at(o, "selinux"), "enabled", true);
	add_rdt(object_at(o, "intelRdt"));
	policy = object_at(o, "memoryPolicy");
	add_words(policy, "modes", oci_memory_modes);
	add_words(policy, "flags", oci_memory_flags);
	add_bool(object_at(object_at(o, "mountExtensions"), "idmap"), "enabled", true);
	add_bool(object_at(o, "netDevices"), "enabled", true);
}

static void add_criu(struct json_object *o)
{
	cleanup_free char *lacks = NULL;
	int version = check_criu(getenv("THOLE_CRIU"), getenv("THOLE_NO_CRIU"), &lacks);
	char text[48];

	/* What callers of runc look for before they checkpoint. */
	json_add(o, "org.opencontainers.runc.checkpoint.enabled", json_new_string(version ? "true" : "false"));
	snprintf(text, sizeof(text), "%d.%d.%d", version / 10000, version / 100 % 100, version % 100);
	if (version)
		json_add(o, "io.thole.criu.version", json_new_string(text));
	if (lacks)
		json_add(o, "io.thole.criu.lacks", json_new_string(lacks));
}

static void add_annotations(struct json_object *o)
{
	const struct scmp_version *v = seccomp_version();
	char text[48];

	snprintf(text, sizeof(text), "%u.%u.%u", v->major, v->minor, v->micro);
	json_add(o, "io.github.seccomp.libseccomp.version", json_new_string(text));
	add_criu(o);
	json_add(o, "io.thole.version", json_new_string(THOLE_VERSION));
}

int features_print(void)
{
	struct json_object *o = json_new_object(), *list;
	const char *text;
	int r;

	json_add(o, "ociVersionMin", json_new_string(OCI_VERSION_MIN));
	json_add(o, "ociVersionMax", json_new_string(OCI_VERSION_MAX));
	list = list_at(o, "hooks");
	for (int kind = 0; kind < OCI_HOOKS; kind++)
		append(list, oci_hook_name((enum oci_hook_kind)kind));
	list = list_at(o, "mountOptions");
	for (size_t i = 0; (text = oci_mount_option_name(i)); i++)
		append(list, text);
	add_linux(object_at(o, "linux"));
	add_annotations(object_at(o, "annotations"));
	list = list_at(o, "potentiallyUnsafeConfigAnnotations");
	append(list, "org.criu.config");
	append(list, "org.systemd.property.");
	text = json_to_text(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
	r = text && puts(text) >= 0 && fflush(stdout) == 0 ? 0 : 1;
	if (r != 0)
		fprintf(stderr, "thole: cannot write to stdout: %s\n", strerror(errno));
	json_object_put(o);
	return r;
}
