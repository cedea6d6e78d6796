/* SPDX-License-Identifier: Apache-2.0 */
/* What the network interfaces of a container have carried.
 *
 * Runs in the shim, which enters no namespace for it: the kernel numbers the namespaces that our links lead to, and tells the number of the container's. So the host
 * sides of its veth pairs are found among our own links, and exactly: interface numbers alone repeat in every namespace. */
#include "shim/sandbox/net_stats.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/proc.h"

#define NETLINK_BUFFER 65536
#define NET_DEV_MAX (1 << 20)

struct interfaces {
	size_t n;
	struct net_interface *v;
};

static struct net_interface *add(struct interfaces *all)
{
	if (all->n == NET_STATS_MAX)
		return NULL;
	all->v = xreallocarray(all->v, all->n + 1, sizeof(*all->v));
	all->v[all->n] = (struct net_interface) { 0 };
	return &all->v[all->n++];
}

/* ---- netlink ------------------------------------------------------------------------------------ */

/* Call each_cb for every message of the answer. False: there is no (whole) answer. */
static bool converse(int sock, const struct nlmsghdr *request, void (*each_cb)(const struct nlmsghdr *m, void *arg),
		     void *arg)
{
	cleanup_free char *buf = xmalloc(NETLINK_BUFFER);

	if (send(sock, request, request->nlmsg_len, 0) < 0)
		return false;
	for (;;) {
		ssize_t n = recv(sock, buf, NETLINK_BUFFER, 0);
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		for (const struct nlmsghdr *m = (const struct nlmsghdr *)buf;
		     left > 0 && NLMSG_OK(m, (unsigned int)left); m = NLMSG_NEXT(m, left)) {
			if (m->nlmsg_type == NLMSG_ERROR)
				return false;
			if (m->nlmsg_type == NLMSG_DONE)
				return true;
			each_cb(m, arg);
			if (!(m->nlmsg_flags & NLM_F_MULTI))
				return true;
		}
	}
}

static void nsid_cb(const struct nlmsghdr *m, void *arg)
{
	const struct rtgenmsg *g = NLMSG_DATA(m);
	int len = (int)m->nlmsg_len - (int)NLMSG_SPACE(sizeof(*g));

	for (const struct rtattr *a = (const struct rtattr *)((const char *)g + NLMSG_ALIGN(sizeof(*g)));
	     RTA_OK(a, len); a = RTA_NEXT(a, len))
		if (a->rta_type == NETNSA_NSID && RTA_PAYLOAD(a) == sizeof(int))
			memcpy(arg, RTA_DATA(a), sizeof(int));
}

/* ret_nsid: -1 when our namespace has no number for it. False: there is no answer. */
static bool ask_nsid(int sock, int netns_fd, int *ret_nsid)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
		_Alignas(NLMSG_ALIGNTO) struct rtattr a;
		uint32_t fd;
	} request = {
		.h = { .nlmsg_len = sizeof(request), .nlmsg_type = RTM_GETNSID, .nlmsg_flags = NLM_F_REQUEST },
		.g = { .rtgen_family = AF_UNSPEC },
		.a = { .rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = NETNSA_FD },
		.fd = (uint32_t)netns_fd,
	};

	*ret_nsid = -1;
	_Static_assert(offsetof(__typeof__(request), a) == NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct rtgenmsg)),
		       "as netlink aligns it");
	return converse(sock, &request.h, nsid_cb, ret_nsid);
}

int net_stats_nsid(int netns_fd, int *ret_nsid, struct err *err)
{
	cleanup_fd int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int nsid;

	if (sock < 0)
		return err_sys(err, "cannot make a socket");
	if (!ask_nsid(sock, netns_fd, &nsid))
		return err_set(err, ERR_SYS, "cannot ask for the number of a network namespace");
	*ret_nsid = nsid;
	return 0;
}

struct links {
	int nsid;
	struct interfaces *all;
};

static bool is_veth(const struct rtattr *linkinfo)
{
	int len = (int)RTA_PAYLOAD(linkinfo);

	for (const struct rtattr *a = RTA_DATA(linkinfo); RTA_OK(a, len); a = RTA_NEXT(a, len))
		if (a->rta_type == IFLA_INFO_KIND)
			return RTA_PAYLOAD(a) >= 4 && !strncmp(RTA_DATA(a), "veth", 4);
	return false;
}

/* What the host side has sent the container has received. */
static void fill_from_peer(struct net_interface *i, const struct rtattr *stats)
{
	struct rtnl_link_stats64 s = { 0 };
	size_t n = RTA_PAYLOAD(stats);

	memcpy(&s, RTA_DATA(stats), n < sizeof(s) ? n : sizeof(s));
	i->rx = (struct net_counters) { s.tx_bytes, s.tx_packets, s.tx_errors, s.tx_dropped };
	i->tx = (struct net_counters) { s.rx_bytes, s.rx_packets, s.rx_errors, s.rx_dropped };
}

static void link_cb(const struct nlmsghdr *m, void *arg)
{
	const struct rtattr *name = NULL, *stats = NULL, *info = NULL;
	int len = (int)m->nlmsg_len - (int)NLMSG_SPACE(sizeof(struct ifinfomsg)), nsid = -1;
	struct links *links = arg;
	struct net_interface *i;

	if (m->nlmsg_type != RTM_NEWLINK)
		return;
	for (const struct rtattr *a = IFLA_RTA(NLMSG_DATA(m)); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		unsigned short type = a->rta_type & NLA_TYPE_MASK;

		if (type == IFLA_IFNAME)
			name = a;
		else if (type == IFLA_STATS64)
			stats = a;
		else if (type == IFLA_LINKINFO)
			info = a;
		else if (type == IFLA_LINK_NETNSID && RTA_PAYLOAD(a) == sizeof(int))
			memcpy(&nsid, RTA_DATA(a), sizeof(int));
	}
	if (!links->all || nsid < 0 || nsid != links->nsid || !name || !stats || !info || !is_veth(info))
		return;
	i = add(links->all);
	if (!i)
		return;
	snprintf(i->name, sizeof(i->name), "%.*s", (int)RTA_PAYLOAD(name), (const char *)RTA_DATA(name));
	fill_from_peer(i, stats);
}

static bool dump_links(int sock, struct links *links)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} request = {
		.h = { .nlmsg_len = sizeof(request),
		       .nlmsg_type = RTM_GETLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.i = { .ifi_family = AF_UNSPEC },
	};

	return converse(sock, &request.h, link_cb, links);
}

static void host_sides(int netns_fd, struct interfaces *all)
{
	cleanup_fd int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct links links = { .nsid = -1 };

	if (sock < 0)
		return;
	/* A namespace gets its number when a link that leads there is shown for the first time. */
	if (!ask_nsid(sock, netns_fd, &links.nsid))
		return;
	if (links.nsid < 0 && (!dump_links(sock, &links) || !ask_nsid(sock, netns_fd, &links.nsid)))
		return;
	links.all = all;
	if (links.nsid >= 0)
		dump_links(sock, &links);
}

/* ---- from inside --------------------------------------------------------------------------------- */

/* "  eth0: BYTES PACKETS ERRS DROP FIFO FRAME COMPRESSED MULTICAST BYTES PACKETS ERRS DROP ..." */
static void parse_net_dev(const char *text, struct interfaces *all)
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		struct net_interface i = { 0 }, *place;

		if (sscanf(line, " %15[^: ]: %lu %lu %lu %lu %*u %*u %*u %*u %lu %lu %lu %lu", i.name, &i.rx.bytes,
			   &i.rx.packets, &i.rx.errors, &i.rx.dropped, &i.tx.bytes, &i.tx.packets, &i.tx.errors,
			   &i.tx.dropped) != 9)
			continue;
		if (!strcmp(i.name, "lo"))
			continue;
		place = add(all);
		if (place)
			*place = i;
	}
}

static bool is_our_own(int netns_fd)
{
	struct stat theirs, ours;

	return fstat(netns_fd, &theirs) < 0 || stat("/proc/self/ns/net", &ours) < 0 ||
	       (theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev);
}

size_t net_stats(pid_t pid, int pidfd, struct net_interface **ret)
{
	cleanup_free char *ns_path = xasprintf("/proc/%d/ns/net", pid), *dev_path = xasprintf("/proc/%d/net/dev", pid),
			  *dev = NULL;
	cleanup_fd int netns_fd = open(ns_path, O_RDONLY | O_CLOEXEC);
	struct interfaces all = { 0 };
	struct err err;
	int n = netns_fd < 0 ? -1 : fd_read_file_at(AT_FDCWD, dev_path, NET_DEV_MAX, &dev, &err);

	*ret = NULL;
	/* What was opened is the process's own only if that still lives: its pid may be somebody else's by now. */
	if (n < 0 || proc_pidfd_kill(pidfd, 0, &err) < 0 || is_our_own(netns_fd))
		return 0;
	host_sides(netns_fd, &all);
	if (all.n == 0)
		parse_net_dev(dev, &all);
	*ret = all.v;
	return all.n;
}
