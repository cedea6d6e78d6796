/* SPDX-License-Identifier: Apache-2.0 */
/* config.json, a resources object, the description of an exec'd process: refused with a reason, or judged the same once more. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "shim/container/exec_config.h"
#include "shim/oci/config.h"

static const char base[] =
	"{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"true\"],\"cwd\":\"/\"},\"root\":{\"path\":\"rootfs\"},"
	"\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"}]}}";

static void whole(const uint8_t *data, size_t len)
{
	struct oci_config *config = NULL;
	struct err err = { 0 };

	if (oci_config_parse((const char *)data, len, &config, &err) < 0) {
		fuzz_check_err(&err);
		return;
	}
	FUZZ_CHECK(oci_config_check(config, &err) == 0);
	FUZZ_CHECK(config->version && config->root_path);
	for (size_t i = 0; i < config->n_mounts; i++)
		FUZZ_CHECK(config->mounts[i].destination[0] == '/' && !strstr(config->mounts[i].destination, "/../"));
	oci_config_free(config);
}

static void resources(const uint8_t *data, size_t len)
{
	struct oci_resources *r = NULL;
	struct err err = { 0 };

	if (oci_resources_parse("resources", (const char *)data, len, &r, &err) < 0) {
		fuzz_check_err(&err);
		return;
	}
	FUZZ_CHECK(oci_resources_check(r, &err) == 0);
	oci_resources_free(r);
}

static void process(const uint8_t *data, size_t len, bool all_of_it)
{
	struct oci_config *config = NULL;
	struct err err = { 0 };

	if (exec_config_parse(base, (const char *)data, len, all_of_it, &config, &err) < 0) {
		fuzz_check_err(&err);
		return;
	}
	FUZZ_CHECK(config->has_process);
	oci_config_free(config);
}

/* What the text is stands in front of it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };

	switch (fuzz_byte(&in)) {
	case 'r':
		resources(in.p, in.left);
		break;
	case 'p':
	case 'e':
		process(in.p, in.left, data[0] == 'p');
		break;
	default:
		/* A config opens with its own brace. */
		whole(data, size);
	}
	return 0;
}
