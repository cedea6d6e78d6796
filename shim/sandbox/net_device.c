/* SPDX-License-Identifier: Apache-2.0 */
/* linux.netDevices: interfaces of the host that become the container's; and those that become the host's.
 *
 * A child of the shim's does it, with the shim's privileges, since it has to be in both namespaces: it opens a socket here, enters the container's, and opens another. The kernel
 * takes an interface's addresses and routes away when it moves or is set down. The addresses are read before and given back afterwards, the routes are not: so whatever can be
 * refused is refused before any interface is touched, and none is set down before it moves. */
#include "shim/sandbox/net_device.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "common/fd.h"
#include "common/wire.h"

#define ADDRESSES_MAX 256 /* of one interface */
#define NETLINK_BUFFER 65536

struct address {
	struct ifaddrmsg head;
	size_t len;
	char attributes[256];
};

struct addresses {
	size_t n;
	struct address v[ADDRESSES_MAX];
};

/* Both ends of the way. */
struct mover {
	int here, there; /* netlink sockets */
	int here_ns, there_ns;
};

struct request {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg address;
	};
	char room[512];
};

static void add_attribute(struct request *r, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

/* 0, or -1 with errno. */
static int acknowledged(int sock, struct request *r)
{
	char buf[1024];
	const struct nlmsghdr *m = (const struct nlmsghdr *)buf;
	struct nlmsgerr answer;
	ssize_t n;

	r->h.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (send(sock, r, r->h.nlmsg_len, 0) < 0)
		return -1;
	do
		n = recv(sock, buf, sizeof(buf), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	if (!NLMSG_OK(m, (unsigned int)n) || m->nlmsg_type != NLMSG_ERROR) {
		errno = EPROTO;
		return -1;
	}
	memcpy(&answer, NLMSG_DATA(m), sizeof(answer));
	errno = -answer.error;
	return answer.error ? -1 : 0;
}

static struct request link_request(int index)
{
	return (struct request) {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)), .nlmsg_type = RTM_NEWLINK },
		.link = { .ifi_family = AF_UNSPEC, .ifi_index = index },
	};
}

static int set_up(int sock, int index, bool up)
{
	struct request r = link_request(index);

	r.link.ifi_change = IFF_UP;
	r.link.ifi_flags = up ? IFF_UP : 0;
	return acknowledged(sock, &r);
}

static int move(int sock, int index, int ns_fd, const char *name)
{
	struct request r = link_request(index);
	uint32_t fd = (uint32_t)ns_fd;

	add_attribute(&r, IFLA_NET_NS_FD, &fd, sizeof(fd));
	add_attribute(&r, IFLA_IFNAME, name, strlen(name) + 1);
	return acknowledged(sock, &r);
}

/* ---- addresses ----------------------------------------------------------------------------------------------------------- */

/* Those that somebody gave it: link-local ones and those that the network gives come by themselves. */
static void remember(const struct nlmsghdr *m, int index, struct addresses *all)
{
	struct ifaddrmsg head;
	size_t len = m->nlmsg_len - NLMSG_SPACE(sizeof(head));
	struct address *a;

	memcpy(&head, NLMSG_DATA(m), sizeof(head));
	if ((int)head.ifa_index != index || head.ifa_scope != RT_SCOPE_UNIVERSE || !(head.ifa_flags & IFA_F_PERMANENT))
		return;
	if (all->n == ADDRESSES_MAX)
		return;
	a = &all->v[all->n];
	*a = (struct address) { .head = head };
	for (const struct rtattr *attr = IFA_RTA(NLMSG_DATA(m)); RTA_OK(attr, len); attr = RTA_NEXT(attr, len)) {
		/* Labels have the old name in them; the rest is what the kernel says, not what it takes. */
		if (attr->rta_type != IFA_ADDRESS && attr->rta_type != IFA_LOCAL && attr->rta_type != IFA_BROADCAST &&
		    attr->rta_type != IFA_FLAGS)
			continue;
		if (a->len + RTA_ALIGN(attr->rta_len) > sizeof(a->attributes))
			return;
		memcpy(a->attributes + a->len, attr, attr->rta_len);
		a->len += RTA_ALIGN(attr->rta_len);
	}
	all->n++;
}

static int read_addresses(int sock, int index, struct addresses *all)
{
	cleanup_free char *buf = xmalloc(NETLINK_BUFFER);
	struct request r = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)),
		       .nlmsg_type = RTM_GETADDR,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.address = { .ifa_family = AF_UNSPEC },
	};

	all->n = 0;
	if (send(sock, &r, r.h.nlmsg_len, 0) < 0)
		return -1;
	for (;;) {
		ssize_t n = recv(sock, buf, NETLINK_BUFFER, 0);
		unsigned int left = (unsigned int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		for (const struct nlmsghdr *m = (const struct nlmsghdr *)buf; NLMSG_OK(m, left);
		     m = NLMSG_NEXT(m, left)) {
			if (m->nlmsg_type == NLMSG_DONE)
				return 0;
			if (m->nlmsg_type == RTM_NEWADDR)
				remember(m, index, all);
		}
	}
}

static int add_address(int sock, int index, const struct address *a)
{
	struct request r = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)),
		       .nlmsg_type = RTM_NEWADDR,
		       .nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE },
		.address = a->head,
	};

	r.address.ifa_index = (uint32_t)index;
	memcpy((char *)&r + r.h.nlmsg_len, a->attributes, a->len);
	r.h.nlmsg_len += (uint32_t)a->len;
	return acknowledged(sock, &r);
}

/* ---- one interface --------------------------------------------------------------------------------------------------------- */

static int index_of(int sock, const char *name)
{
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ioctl(sock, SIOCGIFINDEX, &ifr) < 0 ? -1 : ifr.ifr_ifindex;
}

/* It arrives under a name of our own, which the kernel keeps to; a pattern ("eth%d") is for the container's end of it. */
static int rename_there(const struct mover *mv, int index, const char *pattern)
{
	struct request r = link_request(index);

	add_attribute(&r, IFLA_IFNAME, pattern, strlen(pattern) + 1);
	return acknowledged(mv->there, &r);
}

static int arrive(const struct mover *mv, const struct oci_net_device *d, int index, const char *arrival,
		  const struct addresses *addresses, struct err *err)
{
	if (strcmp(arrival, d->name) != 0 && rename_there(mv, index, d->name) < 0)
		return err_sys(err, "cannot name it '%s'", d->name);
	for (size_t i = 0; i < addresses->n; i++)
		if (add_address(mv->there, index, &addresses->v[i]) < 0)
			return err_sys(err, "cannot give it its address back");
	if (set_up(mv->there, index, true) < 0)
		return err_sys(err, "cannot set it up");
	return 0;
}

/* A namespace that ends takes virtual interfaces along, and whoever had it wants it as it was. */
static void move_back(const struct mover *mv, const struct oci_net_device *d, struct net_device_moved *m,
		      struct addresses *addresses)
{
	int index;

	if (addresses->n == 0)
		read_addresses(mv->there, m->there_index, addresses);
	if (move(mv->there, m->there_index, mv->here_ns, d->host_name) < 0)
		return;
	m->there_index = 0;
	index = index_of(mv->here, d->host_name);
	for (size_t i = 0; i < addresses->n; i++)
		add_address(mv->here, index, &addresses->v[i]);
	if (m->was_up)
		set_up(mv->here, index, true);
}

/* Whatever is found wrong here has changed nothing. */
static int check_one(const struct mover *mv, const struct oci_net_device *d, struct net_device_moved *m,
		     struct err *err)
{
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", d->host_name);
	m->here_index = index_of(mv->here, d->host_name);
	if (m->here_index < 0 || ioctl(mv->here, SIOCGIFFLAGS, &ifr) < 0)
		return err_sysno(err, ENODEV, "cannot find it");
	if (ifr.ifr_flags & IFF_LOOPBACK)
		return err_set(err, ERR_CONFIG, "is the loopback interface, which each network namespace has itself");
	m->was_up = ifr.ifr_flags & IFF_UP;
	if (index_of(mv->there, d->name) >= 0)
		return err_sysno(err, EEXIST, "cannot move it into the container as '%s'", d->name);
	return 0;
}

static int move_one(const struct mover *mv, const struct oci_net_device *d, struct net_device_moved *m,
		    char arrival[IFNAMSIZ], struct addresses *addresses, struct err *err)
{
	snprintf(arrival, IFNAMSIZ, "%s", d->name);
	if (strchr(d->name, '%'))
		snprintf(arrival, IFNAMSIZ, "thole%d", m->here_index);
	if (read_addresses(mv->here, m->here_index, addresses) < 0)
		return err_sys(err, "cannot read its addresses");
	if (move(mv->here, m->here_index, mv->there_ns, arrival) < 0) {
		err_sys(err, "cannot move it into the container as '%s'", d->name);
		/* The kernel moves it first and gives it its name then, which somebody may have taken. */
		if (index_of(mv->here, d->host_name) != m->here_index)
			m->there_index = index_of(mv->there, d->host_name);
		if (m->there_index > 0)
			move_back(mv, d, m, addresses);
		return -1;
	}
	m->there_index = index_of(mv->there, arrival);
	return m->there_index < 0 ? err_sys(err, "cannot find it in the container") : 0;
}

static int check_all(const struct mover *mv, const struct oci_config *c, struct net_device_moved *moved,
		     struct err *err)
{
	for (size_t i = 0; i < c->n_net_devices; i++)
		if (check_one(mv, &c->net_devices[i], &moved[i], err) < 0)
			return err_add(err, "linux.netDevices.%s", c->net_devices[i].host_name);
	return 0;
}

struct moving {
	const struct oci_config *config;
	struct net_devices *devices;
};

/* The last one first, as they were moved one after the other. */
static int return_all(const struct mover *mv, void *arg, struct err *err)
{
	const struct moving *moving = arg;
	struct net_devices *devices = moving->devices;
	cleanup_free struct addresses *addresses = xcalloc(1, sizeof(*addresses));

	(void)err; /* as far as the kernel lets them */
	for (size_t i = devices->n; i-- > 0;) {
		addresses->n = 0;
		if (devices->v[i].there_index > 0)
			move_back(mv, &moving->config->net_devices[i], &devices->v[i], addresses);
	}
	return 0;
}

static int move_all(const struct mover *mv, void *arg, struct err *err)
{
	const struct moving *moving = arg;
	const struct oci_config *c = moving->config;
	struct net_devices *devices = moving->devices;
	cleanup_free struct addresses *addresses = xcalloc(1, sizeof(*addresses));
	struct err ignored;

	if (check_all(mv, c, devices->v, err) < 0)
		return -1;
	for (size_t i = 0; i < c->n_net_devices; i++) {
		const struct oci_net_device *d = &c->net_devices[i];
		struct net_device_moved *m = &devices->v[i];
		char arrival[IFNAMSIZ];
		int r = move_one(mv, d, m, arrival, addresses, err);

		if (r == 0) {
			r = arrive(mv, d, m->there_index, arrival, addresses, err);
			if (r < 0)
				move_back(mv, d, m, addresses);
		}
		if (r < 0) {
			return_all(mv, arg, &ignored);
			return err_add(err, "linux.netDevices.%s", d->host_name);
		}
	}
	return 0;
}

struct fetched {
	const char *name, *bridge;
};

static int fetch(const struct mover *mv, void *arg, struct err *err)
{
	const struct fetched *f = arg;
	int index = index_of(mv->there, f->name), bridge = f->bridge ? index_of(mv->here, f->bridge) : 0;
	struct request r;

	if (index < 0)
		return 0;
	if (move(mv->there, index, mv->here_ns, f->name) < 0)
		return err_sys(err, "cannot fetch it");
	if (!f->bridge)
		return 0;
	r = link_request(index_of(mv->here, f->name));
	add_attribute(&r, IFLA_MASTER, &bridge, sizeof(bridge));
	if (bridge < 0 || acknowledged(mv->here, &r) < 0)
		return err_sys(err, "cannot give it to the bridge '%s'", f->bridge);
	return 0;
}

#define MOVING "linux.netDevices"

/* ---- the child --------------------------------------------------------------------------------------------------------------- */

static int open_mover(int there_ns, struct mover *mv, struct err *err)
{
	mv->here = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	mv->here_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	mv->there_ns = there_ns;
	if (mv->here < 0 || mv->here_ns < 0 || setns(mv->there_ns, CLONE_NEWNET) < 0)
		return err_sys(err, "cannot enter the network namespace");
	mv->there = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	return mv->there < 0 ? err_sys(err, "cannot make a socket") : 0;
}

typedef int work_fn(const struct mover *mv, void *arg, struct err *err);

static void run(work_fn *work, void *arg, int ns_fd, const char *what, int sock) __attribute__((noreturn));
static void run(work_fn *work, void *arg, int ns_fd, const char *what, int sock)
{
	struct mover mv = { -1, -1, -1, -1 };
	struct err err = { 0 };

	/* A copy of the shim's lock is here. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (open_mover(ns_fd, &mv, &err) < 0)
		err_add(&err, "%s", what);
	else
		work(&mv, arg, &err);
	wire_send_err(sock, &err); /* all zero: none */
	_exit(0);
}

/* Between ours and that namespace. Waits for it. */
static int in_both(work_fn *work, void *arg, int ns_fd, const char *what, struct err *err)
{
	cleanup_free char *who = xasprintf("%s: the process that moves them", what);
	int pair[2], r;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "cannot make a socketpair");
	child = fork();
	if (child == 0)
		run(work, arg, ns_fd, what, pair[1]);
	fd_close(&pair[1]);
	if (child < 0) {
		fd_close(&pair[0]);
		return err_sys(err, "cannot fork");
	}
	r = wire_recv_outcome(pair[0], who, err);
	fd_close(&pair[0]);
	proc_wait(child);
	return r;
}

static int open_namespace(pid_t pid, int *ret_fd, struct err *err)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(err, "cannot open the network namespace") : 0;
}

int net_devices_move(const struct oci_config *config, pid_t pid, struct net_devices *devices, struct err *err)
{
	struct moving m = { config, devices };
	void *v;

	if (config->n_net_devices == 0)
		return 0;
	if (open_namespace(pid, &devices->ns_fd, err) < 0)
		return err_add(err, MOVING);
	/* The child tells here what it has moved, also when it is killed. */
	v = mmap(NULL, config->n_net_devices * sizeof(*devices->v), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		 -1, 0);
	if (v == MAP_FAILED) {
		fd_close(&devices->ns_fd);
		return err_sys(err, MOVING ": cannot map memory");
	}
	devices->v = v;
	devices->n = config->n_net_devices;
	return in_both(move_all, &m, devices->ns_fd, MOVING, err);
}

int net_devices_return(const struct oci_config *config, struct net_devices *devices, struct err *err)
{
	struct moving m = { config, devices };

	for (size_t i = 0; i < devices->n; i++)
		if (devices->v[i].there_index > 0)
			return in_both(return_all, &m, devices->ns_fd, MOVING, err);
	return 0;
}

void net_devices_release(struct net_devices *devices)
{
	if (!devices->v)
		return;
	munmap(devices->v, devices->n * sizeof(*devices->v));
	fd_close(&devices->ns_fd);
	*devices = (struct net_devices) { 0 };
}

int net_device_fetch(pid_t pid, const char *name, const char *bridge, struct err *err)
{
	struct fetched f = { name, bridge };
	cleanup_fd int ns_fd = -1;

	if (open_namespace(pid, &ns_fd, err) < 0 || in_both(fetch, &f, ns_fd, "network interfaces", err) < 0)
		return err_add(err, "network interface '%s'", name);
	return 0;
}

/* ---- interfaces of the shim's own namespace ---------------------------------------------------------------------------------- */

static char *address_text(const struct address *a)
{
	size_t len = a->len;
	char text[INET6_ADDRSTRLEN];
	const void *found = NULL;

	for (const struct rtattr *attr = (const struct rtattr *)a->attributes; RTA_OK(attr, len);
	     attr = RTA_NEXT(attr, len))
		if (attr->rta_type == IFA_LOCAL || (attr->rta_type == IFA_ADDRESS && !found))
			found = RTA_DATA(attr);
	if (!found || !inet_ntop(a->head.ifa_family, found, text, sizeof(text)))
		return NULL;
	return xasprintf("%s/%u", text, a->head.ifa_prefixlen);
}

static bool parse_address(const char *text, struct address *ret)
{
	cleanup_free char *host = xstrdup(text);
	char *slash = strchr(host, '/'), *end;
	unsigned char bytes[sizeof(struct in6_addr)];
	size_t len = sizeof(struct in_addr);
	unsigned long prefix;
	struct rtattr *attr;

	if (!slash)
		return false;
	*slash = '\0';
	prefix = strtoul(slash + 1, &end, 10);
	*ret = (struct address) { .head = { .ifa_family = AF_INET } };
	if (inet_pton(AF_INET, host, bytes) != 1) {
		ret->head.ifa_family = AF_INET6;
		len = sizeof(struct in6_addr);
		if (inet_pton(AF_INET6, host, bytes) != 1)
			return false;
	}
	if (*end || prefix > len * 8)
		return false;
	ret->head.ifa_prefixlen = (unsigned char)prefix;
	for (int type = IFA_ADDRESS; type <= IFA_LOCAL; type++) {
		attr = (struct rtattr *)(ret->attributes + ret->len);
		attr->rta_type = (unsigned short)type;
		attr->rta_len = (unsigned short)RTA_LENGTH(len);
		memcpy(RTA_DATA(attr), bytes, len);
		ret->len += RTA_ALIGN(attr->rta_len);
	}
	return true;
}

static int open_route(const char *name, int *ret_sock, int *ret_index, struct err *err)
{
	*ret_sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (*ret_sock < 0)
		return err_sys(err, "cannot make a socket");
	*ret_index = index_of(*ret_sock, name);
	return *ret_index < 0 ? err_sys(err, "cannot find network interface '%s'", name) : 0;
}

int net_device_addresses(const char *name, char **ret, size_t max, size_t *ret_n, struct err *err)
{
	cleanup_free struct addresses *all = xcalloc(1, sizeof(*all));
	cleanup_fd int sock = -1;
	int index;
	size_t n = 0;

	if (open_route(name, &sock, &index, err) < 0)
		return -1;
	if (read_addresses(sock, index, all) < 0)
		return err_sys(err, "cannot read the addresses of network interface '%s'", name);
	for (size_t i = 0; i < all->n && n < max; i++) {
		ret[n] = address_text(&all->v[i]);
		if (ret[n])
			n++;
	}
	*ret_n = n;
	return 0;
}

int net_device_set_up(const char *name, const char *const *addresses, size_t n, struct err *err)
{
	cleanup_fd int sock = -1;
	int index;

	if (open_route(name, &sock, &index, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct address a;

		if (!parse_address(addresses[i], &a))
			return err_set(err, ERR_CONFIG, "'%s' is no address of a network interface", addresses[i]);
		if (add_address(sock, index, &a) < 0)
			return err_sys(err, "cannot give network interface '%s' its address '%s'", name, addresses[i]);
	}
	if (set_up(sock, index, true) < 0)
		return err_sys(err, "cannot set network interface '%s' up", name);
	return 0;
}

/* ---- loopback ------------------------------------------------------------------------------------------------------------ */

int child_loopback_up(struct err *err)
{
	/* Any socket will do, and this kind every kernel has. */
	cleanup_fd int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (sock < 0 || ioctl(sock, SIOCSIFFLAGS, &r) < 0)
		return err_sys(err, "cannot set up the loopback");
	return 0;
}
