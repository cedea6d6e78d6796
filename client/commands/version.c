/* SPDX-License-Identifier: Apache-2.0 */
/* thole version. */
#include <fcntl.h>
#include <stdio.h>

#include "client/all.h"
#include "client/call.h"
#include "client/command.h"
#include "common/fd.h"
#include "common/statedir.h"
#include "version.h" /* THOLE_COMMIT, made by the Makefile */

/* From the records: no shim is woken. */
static bool print_shim(const struct client *cl, const char *id, void *arg)
{
	cleanup_fd int dir_fd = -1;
	struct status_record rec;
	struct err err;

	if (client_open_container(cl, id, NULL, &dir_fd, &err) < 0)
		return err.code == ERR_NOT_FOUND;
	if (call_shim_lives(dir_fd) && statedir_read_status(dir_fd, &rec, &err) == 0)
		printf("%s %s\n", id, rec.shim_version[0] ? rec.shim_version : "unknown");
	return true;
}

int cmd_version(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct version_options *o = inv->options;

	if (o && o->shims)
		return all_containers(cl, print_shim, NULL, err) < 0 ? -1 : 0;
	printf("%s version %s\ncommit: %s\nspec: %s\n", cl->program, THOLE_VERSION, THOLE_COMMIT, CLIENT_OCI_VERSION);
	return 0;
}
