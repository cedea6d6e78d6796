/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that come with a request, by the roles that it names. */
#include "common/fd.h"
#include "shim/container/container.h"
#include "shim/control/request.h"

_Static_assert(CONTAINER_PRESERVED_MAX >= WIRE_FDS_MAX, "whatever comes has a place");

/* Where a role's descriptor goes; NULL: the role has no place here. */
static int *place_of(struct container_fds *p, FdRole role, FdRole main_role)
{
	switch (role) {
	case FD_BUNDLE:
	case FD_PROCESS:
		return role == main_role ? &p->main_fd : NULL;
	case FD_CONFIG:
		return main_role == FD_BUNDLE ? &p->config_fd : NULL;
	case FD_STDIN:
		return &p->stdio[0];
	case FD_STDOUT:
		return &p->stdio[1];
	case FD_STDERR:
		return &p->stdio[2];
	case FD_CONSOLE_SOCKET:
		return &p->console_fd;
	case FD_PIDFD_SOCKET:
		return &p->pidfd_fd;
	case FD_IMAGES:
		return role == main_role || main_role == FD_BUNDLE ? &p->images_fd : NULL;
	case FD_WORK:
		return p->images_fd >= 0 ? &p->work_fd : NULL;
	case FD_OPTIONS:
		return p->images_fd >= 0 ? &p->options_fd : NULL;
	case FD_STATUS:
		return p->images_fd >= 0 ? &p->status_fd : NULL;
	case FD_NONE:
	case FD_PRESERVED:
	case FD_LOG:
	case FD_PIDFD:
	case FD_SHIM:
	case FD_SHIM_MOUNT:
	case FD_KEEPER:
	case FD_HELD_STDOUT:
	case FD_HELD_STDERR:
		break;
	}
	return NULL;
}

int request_sort_fds(const FdRole *roles, int n_roles, uint32_t more_preserved, StdioMode stdio, FdRole main_role,
		     struct wire_fds *fds, struct container_fds *ret, struct err *err)
{
	if ((uint64_t)fds->n != (uint64_t)n_roles + more_preserved)
		return err_set(err, ERR_PROTOCOL, "%d descriptors came with %d roles", fds->n, n_roles);
	for (int i = 0; i < fds->n; i++) {
		FdRole role = i < n_roles ? roles[i] : FD_PRESERVED;
		int *place = place_of(ret, role, main_role);

		if (role == FD_PRESERVED)
			ret->preserved[ret->n_preserved++] = take_fd(&fds->fd[i]);
		else if (place && *place < 0)
			*place = take_fd(&fds->fd[i]);
		else
			return err_set(err, ERR_PROTOCOL, "descriptor %d has no place", i);
	}
	if (main_role == FD_IMAGES ? ret->images_fd < 0 || ret->options_fd < 0 : ret->main_fd < 0)
		return err_set(err, ERR_PROTOCOL, "the descriptor that the request is about did not come with it");
	if (stdio != STDIO_INHERIT && stdio != STDIO_PASS &&
	    (ret->stdio[0] >= 0 || ret->stdio[1] >= 0 || ret->stdio[2] >= 0))
		return err_set(err, ERR_PROTOCOL, "stdio came with the request, but is not inherited");
	return 0;
}
