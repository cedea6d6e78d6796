/* SPDX-License-Identifier: Apache-2.0 */
/* What the network interfaces of a container have carried. */
#ifndef THOLE_SHIM_SANDBOX_NET_STATS_H
#define THOLE_SHIM_SANDBOX_NET_STATS_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

/* As the container sees it: what it has received is rx. */
struct net_counters {
	uint64_t bytes, packets, errors, dropped;
};

struct net_interface {
	char name[IFNAMSIZ];
	struct net_counters rx, tx;
};

/* For each veth pair between the network namespace of process `pid`, whose pidfd is given, and our own: the host side's name and counters. Where there is no
 * such pair, the interfaces inside but lo, by their names there. None when the namespace is our own or cannot be looked at. Returns how many; at most NET_STATS_MAX.
 * Caller frees *ret. */
#define NET_STATS_MAX 1024
size_t net_stats(pid_t pid, int pidfd, struct net_interface **ret);

/* The number by which our network namespace knows the one behind netns_fd, as IFLA_LINK_NETNSID has it; -1 when it knows none. It has one from when the kernel first
 * showed somebody a link of ours that leads there: list the links before. */
int net_stats_nsid(int netns_fd, int *ret_nsid, struct err *err);

#endif
