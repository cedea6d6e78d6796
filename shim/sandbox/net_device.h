/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces: the loopback of a new network namespace, and linux.netDevices: those of the host that become the container's. */
#ifndef THOLE_SHIM_SANDBOX_NET_DEVICE_H
#define THOLE_SHIM_SANDBOX_NET_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"
#include "shim/oci/config.h"

/* Those that were moved, and the namespace where they are. All zero: none. */
struct net_device_moved {
	int here_index, there_index; /* 0: it is not there */
	bool was_up;
};
struct net_devices {
	int ns_fd;
	size_t n;
	struct net_device_moved *v;
};

/* In the shim: move them all into the network namespace of process `pid`, under their new names, with their global addresses, and set them up. What is missing, a loopback, or
 * to have a name that is taken there is refused before anything is changed. On a later failure those that were moved are back as they were but for their routes, as far as the
 * kernel lets them. `devices` is all zero before, and the caller's to release on both outcomes. Errors name linux.netDevices.NAME. Waits for a child of its own. */
int net_devices_move(const struct oci_config *config, pid_t pid, struct net_devices *devices, struct err *err);

/* In the shim, of a container that was not to be: those that are still there go back, as after a failure, whether or not its processes have ended. */
int net_devices_return(const struct oci_config *config, struct net_devices *devices, struct err *err);

/* They stay where they are. The namespace is held until then. */
void net_devices_release(struct net_devices *devices);

/* In the shim: move interface `name` from the network namespace of process `pid` into its own, and into `bridge` there (NULL: none). One that is not there is no error. Waits for a child of its own. */
int net_device_fetch(pid_t pid, const char *name, const char *bridge, struct err *err);

/* In the shim, of an interface of its own namespace: the addresses that somebody has given it ("10.0.0.1/24"), at most `max` of them. ret: texts, the caller's. */
int net_device_addresses(const char *name, char **ret, size_t max, size_t *ret_n, struct err *err);

/* Give it such addresses (those that it has already are no error), and set it up. ERR_CONFIG: one is none. */
int net_device_set_up(const char *name, const char *const *addresses, size_t n, struct err *err);

/* In the child: set up the loopback of the network namespace that it is in. */
int child_loopback_up(struct err *err);

#endif
