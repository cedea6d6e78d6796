/* SPDX-License-Identifier: Apache-2.0 */
/* A container's state directory, as a shim has left it. */
#include "tests/fuzz/container.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/proc.h"
#include "tests/fuzz/fuzz.h"

static const char config[] =
	"{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"true\"],\"cwd\":\"/\",\"env\":[\"A=b\"]},"
	"\"root\":{\"path\":\"rootfs\"},\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"}]}}";

static int root_fd = -1;

int fuzz_empty_root(void)
{
	cleanup_fd int dir_fd = -1;
	struct err err;

	if (root_fd < 0) {
		FUZZ_CHECK(mkdirat(fuzz_dir_fd(), "state", 0700) == 0);
		root_fd = openat(fuzz_dir_fd(), "state", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	FUZZ_CHECK(root_fd >= 0);
	dir_fd = openat(root_fd, FUZZ_ID, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(dir_fd < 0 || statedir_remove(root_fd, dir_fd, FUZZ_ID, &err) == 0);
	return root_fd;
}

struct status_record fuzz_record(enum container_status status)
{
	struct status_record rec = { .status = status, .init_pid = fuzz_sleeper(), .created_ns = 1700000000000000000 };
	struct proc_stat st;
	struct err err;

	FUZZ_CHECK(proc_stat(rec.init_pid, &st, &err) == 0 && proc_boot_id(rec.boot_id, &err) == 0);
	rec.init_start_time = st.start_time;
	snprintf(rec.id, sizeof(rec.id), "%s", FUZZ_ID);
	snprintf(rec.bundle, sizeof(rec.bundle), "%s", fuzz_dir());
	return rec;
}

void fuzz_write_state(const char *name, const void *data, size_t len)
{
	cleanup_free char *path = xasprintf("state/" FUZZ_ID "/%s", name);

	fuzz_write(path, data, len);
}

void fuzz_make_container(struct status_record *rec)
{
	cleanup_free char *state = xasprintf(
		"{\"format\":1,\"container\":{\"dataDir\":\"%s/data\",\"cgroups\":[],\"log\":{\"driver\":\"none\"}},"
		"\"processes\":{\"init\":{\"streams\":{\"stdin\":\"/dev/null\"}}}}",
		fuzz_dir());
	cleanup_fd int dir_fd = -1;
	struct err err;

	FUZZ_CHECK(mkdirat(root_fd, FUZZ_ID, 0700) == 0);
	dir_fd = openat(root_fd, FUZZ_ID, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(dir_fd >= 0);
	if (rec)
		FUZZ_CHECK(statedir_write_status(dir_fd, rec, &err) == 0);
	fuzz_write_state(STATEDIR_STATE, state, strlen(state));
	fuzz_write_state(STATEDIR_CONFIG, config, sizeof(config) - 1);
	fuzz_write_state(STATEDIR_LOCK, "", 0);
}
