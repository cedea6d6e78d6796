/* SPDX-License-Identifier: Apache-2.0 */
/* The veth pairs that join a container's network namespace to ours: criu has to be told what the outer ends are called.
 *
 * Both ends name each other by index, each in its own namespace, and the namespace by a number that is its reader's own. A child of the shim's reads the container's side, since
 * the shim itself enters no namespace; an end of ours that names the container's namespace and the index there is the other one. */
#include "shim/checkpoint/veth.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/fd.h"
#include "common/json.h"
#include "shim/oci/json.h"
#include "shim/sandbox/net_device.h"
#include "shim/sandbox/net_stats.h"

#define NETLINK_BUFFER 65536
#define PAIRS_MAX 64
#define ADDRESSES_MAX 32
#define FILE_MAX 65536

/* One interface, as far as it matters; plain data, since it goes through a pipe. */
struct link {
	int index, peer, master;
	bool away; /* the other end is in another namespace */
	int nsid;  /* by which this one knows that; -1: it has no number for it, or there is none */
	bool veth, up;
	char name[IFNAMSIZ];
};

struct links {
	size_t n;
	struct link *v;
};

/* ---- the kernel's list ------------------------------------------------------------------------------------------------------- */

static bool says_veth(const struct rtattr *info)
{
	size_t len = RTA_PAYLOAD(info);

	for (const struct rtattr *a = RTA_DATA(info); RTA_OK(a, len); a = RTA_NEXT(a, len))
		if (a->rta_type == IFLA_INFO_KIND)
			return RTA_PAYLOAD(a) >= 5 && !memcmp(RTA_DATA(a), "veth", 5);
	return false;
}

static void read_int(const struct rtattr *a, int *ret)
{
	if (RTA_PAYLOAD(a) >= sizeof(*ret))
		memcpy(ret, RTA_DATA(a), sizeof(*ret));
}

static void note(struct links *all, const struct nlmsghdr *m)
{
	const struct ifinfomsg *head = NLMSG_DATA(m);
	size_t len = IFLA_PAYLOAD(m);
	struct link l = { .index = head->ifi_index, .nsid = -1, .up = head->ifi_flags & IFF_UP };

	for (const struct rtattr *a = IFLA_RTA(head); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == IFLA_IFNAME) {
			snprintf(l.name, sizeof(l.name), "%.*s", (int)RTA_PAYLOAD(a), (const char *)RTA_DATA(a));
		} else if (a->rta_type == IFLA_LINK) {
			read_int(a, &l.peer);
		} else if (a->rta_type == IFLA_LINK_NETNSID) {
			l.away = true;
			read_int(a, &l.nsid);
		} else if (a->rta_type == IFLA_MASTER) {
			read_int(a, &l.master);
		} else if (a->rta_type == IFLA_LINKINFO) {
			l.veth = says_veth(a);
		}
	}
	all->v = xreallocarray(all->v, all->n + 1, sizeof(*all->v));
	all->v[all->n++] = l;
}

/* True at the end of the list. */
static bool take_messages(struct links *all, const char *buf, unsigned int left)
{
	for (const struct nlmsghdr *m = (const struct nlmsghdr *)buf; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
		if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR)
			return true;
		if (m->nlmsg_type == RTM_NEWLINK)
			note(all, m);
	}
	return false;
}

/* Those of the namespace that the caller is in. */
static int read_links(struct links *all, struct err *err)
{
	cleanup_fd int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	cleanup_free char *buf = xmalloc(NETLINK_BUFFER);
	struct {
		struct nlmsghdr h;
		struct ifinfomsg link;
	} r = {
		.h = { .nlmsg_len = sizeof(r), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
	};
	ssize_t n;

	if (sock < 0 || send(sock, &r, sizeof(r), 0) < 0)
		return err_sys(err, "cannot ask for the network interfaces");
	do {
		do
			n = recv(sock, buf, NETLINK_BUFFER, 0);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			return err_sys(err, "cannot read the network interfaces");
	} while (!take_messages(all, buf, (unsigned int)n));
	return 0;
}

/* ---- the container's side ---------------------------------------------------------------------------------------------------- */

/* Most have nothing else, and then nobody has to go there. False: it may have more. */
static bool has_only_loopback(pid_t pid)
{
	cleanup_free char *path = xasprintf("/proc/%d/net/dev", (int)pid), *text = NULL;
	const char *line;
	struct err ignored;

	if (fd_read_file_at(AT_FDCWD, path, FILE_MAX, &text, &ignored) < 0)
		return false;
	/* Two lines of titles, then one "NAME: ..." each. */
	line = strchr(text, '\n');
	line = line ? strchr(line + 1, '\n') : NULL;
	if (!line)
		return false;
	for (line++; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (strncmp(line + strspn(line, " "), "lo:", 3) != 0)
			return false;
	return true;
}

static void tell_inner(int ns_fd, int pipe_fd) __attribute__((noreturn));
static void tell_inner(int ns_fd, int pipe_fd)
{
	struct links all = { 0 };
	struct err err;

	if (setns(ns_fd, CLONE_NEWNET) < 0 || read_links(&all, &err) < 0)
		_exit(1);
	for (size_t i = 0; i < all.n; i++)
		if (all.v[i].veth && write(pipe_fd, &all.v[i], sizeof(all.v[i])) != (ssize_t)sizeof(all.v[i]))
			_exit(1);
	_exit(0);
}

static int read_inner(int ns_fd, struct links *ret, struct err *err)
{
	cleanup_fd int in = -1;
	int pair[2];
	pid_t child;
	struct link l;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(err, "cannot look into the network namespace");
	in = pair[0];
	child = fork();
	if (child == 0)
		tell_inner(ns_fd, pair[1]);
	fd_close(&pair[1]);
	if (child < 0)
		return err_sys(err, "cannot fork");
	/* Less than PIPE_BUF each: whole or not at all. */
	while (read(in, &l, sizeof(l)) == (ssize_t)sizeof(l)) {
		ret->v = xreallocarray(ret->v, ret->n + 1, sizeof(*ret->v));
		ret->v[ret->n++] = l;
	}
	return proc_wait(child) == 0 ? 0 : err_set(err, ERR_SYS, "cannot look into the network namespace");
}

/* ---- both -------------------------------------------------------------------------------------------------------------------- */

/* ret_nsid: the number that ours has for the container's. Ours is not read when the container has none. */
static int read_both(pid_t pid, struct links *inner, struct links *outer, int *ret_nsid, struct err *err)
{
	cleanup_free char *path = xasprintf("/proc/%d/ns/net", (int)pid);
	cleanup_fd int ns_fd = open(path, O_RDONLY | O_CLOEXEC);

	if (ns_fd < 0)
		return err_sys(err, "cannot look into the network namespace");
	if (read_inner(ns_fd, inner, err) < 0)
		return -1;
	if (inner->n == 0)
		return 0;
	/* In this order: it has its number once a link that leads there has been shown. */
	if (read_links(outer, err) < 0)
		return -1;
	return net_stats_nsid(ns_fd, ret_nsid, err);
}

static const struct link *by_index(const struct links *all, int index)
{
	for (size_t i = 0; index && i < all->n; i++)
		if (all->v[i].index == index)
			return &all->v[i];
	return NULL;
}

static void add_text(struct json_object *o, const char *key, const char *value)
{
	json_add(o, key, json_new_string(value));
}

static struct json_object *describe(const struct link *inner, const struct link *host, const struct link *bridge)
{
	struct json_object *o = json_new_object(), *list = json_new_array();
	char *addresses[ADDRESSES_MAX];
	size_t n = 0;
	struct err ignored;

	add_text(o, "host", host->name);
	if (bridge)
		add_text(o, "bridge", bridge->name);
	add_text(o, "container", inner->name);
	json_add(o, "up", json_new_boolean(host->up));
	net_device_addresses(host->name, addresses, ADDRESSES_MAX, &n, &ignored);
	for (size_t i = 0; i < n; i++) {
		json_append(list, json_new_string(addresses[i]));
		free(addresses[i]);
	}
	json_add(o, "addresses", list);
	return o;
}

/* Its other end is neither here nor in the container: what that is to be called when it comes back, somebody has to say. */
static struct json_object *describe_alone(const struct link *inner)
{
	struct json_object *o = json_new_object();

	add_text(o, "container", inner->name);
	return o;
}

/* Does this end of ours lead to that one in the container? Indexes alone do not say so: they repeat in every namespace. An end whose other end is here has no number (-1). */
static bool leads_to(const struct link *host, const struct link *own, int nsid)
{
	return host && host->veth && nsid >= 0 && host->nsid == nsid && host->peer == own->index;
}

/* nsid: what our namespace calls the container's. */
static struct json_object *match(const struct links *inner, const struct links *outer, int nsid)
{
	struct json_object *list = json_new_array();

	for (size_t i = 0; i < inner->n; i++) {
		const struct link *own = &inner->v[i], *host = by_index(outer, own->peer);

		if (!own->away)
			continue; /* both ends are the container's */
		if (leads_to(host, own, nsid))
			json_append(list, describe(own, host, by_index(outer, host->master)));
		else
			json_append(list, describe_alone(own));
	}
	return list;
}

int veth_write(pid_t pid, int dir_fd, struct err *err)
{
	struct links inner = { 0 }, outer = { 0 };
	cleanup_json struct json_object *list = NULL;
	const char *text;
	int nsid = -1, r = has_only_loopback(pid) ? 0 : read_both(pid, &inner, &outer, &nsid, err);

	if (r == 0)
		list = match(&inner, &outer, nsid);
	free(inner.v);
	free(outer.v);
	if (r < 0 || json_object_array_length(list) == 0)
		return r;
	text = json_to_text(list, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	return fd_replace_file_at(dir_fd, VETH_FILE, text, strlen(text), 0600, err);
}

/* As the kernel judges names; what stands for something in criu's own words is none either. */
static bool is_name(const char *at, size_t len)
{
	if (len == 0 || len >= IFNAMSIZ || (len == 1 && at[0] == '.'))
		return false;
	for (size_t i = 0; i < len; i++)
		if (at[i] <= ' ' || at[i] == 127 || strchr("/:@=[]", at[i]))
			return false;
	return true;
}

bool veth_is_pair(const char *text)
{
	size_t host = strcspn(text, "@="), bridge = text[host] == '@' ? strcspn(text + host + 1, "=") : 0;
	const char *rest = text + host + (text[host] == '@' ? 1 + bridge : 0);

	return is_name(text, host) && (text[host] != '@' || is_name(text + host + 1, bridge)) && *rest == '=' &&
	       is_name(rest + 1, strlen(rest + 1));
}

/* ---- made anew -------------------------------------------------------------------------------------------------------------- */

#define FREE_MS 5000
#define FREE_STEP_MS 10

static bool is_taken(const char *pair)
{
	char name[IF_NAMESIZE] = "";

	memcpy(name, pair, strcspn(pair, "@=")); /* veth_is_pair() has seen to its length */
	return if_nametoindex(name) != 0;
}

int veth_await_free(const struct oci_strings *pairs, struct err *err)
{
	for (size_t i = 0; i < pairs->n; i++) {
		for (int waited = 0; is_taken(pairs->v[i]) && waited < FREE_MS; waited += FREE_STEP_MS)
			poll(NULL, 0, FREE_STEP_MS);
		if (is_taken(pairs->v[i]))
			return err_set(err, ERR_STATE, "there is an interface '%.*s' already",
				       (int)strcspn(pairs->v[i], "@="), pairs->v[i]);
	}
	return 0;
}

int veth_fetch(pid_t pid, const struct oci_strings *pairs, struct err *err)
{
	for (size_t i = 0; i < pairs->n; i++) {
		cleanup_free char *pair = xstrdup(pairs->v[i]);
		char *bridge;

		pair[strcspn(pair, "=")] = '\0';
		bridge = strchr(pair, '@');
		if (bridge)
			*bridge++ = '\0';
		if (net_device_fetch(pid, pair, bridge, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- given back -------------------------------------------------------------------------------------------------------------- */

static const char *text_at(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_string)
		       ? json_object_get_string(v)
		       : NULL;
}

/* HOST[@BRIDGE]=CONTAINER, the caller's to free; NULL: it is none. */
static char *pair_of(struct json_object *o)
{
	const char *host = text_at(o, "host"), *bridge = text_at(o, "bridge"), *inner = text_at(o, "container");
	cleanup_free char *pair = NULL;

	if (!host || !inner)
		return NULL;
	pair = xasprintf("%s%s%s=%s", host, bridge ? "@" : "", bridge ? bridge : "", inner);
	return veth_is_pair(pair) ? take_ptr(pair) : NULL;
}

/* One whose other end was nobody knows where. */
static bool is_alone(struct json_object *o)
{
	const char *inner = text_at(o, "container");

	return inner && is_name(inner, strlen(inner)) && !text_at(o, "host");
}

/* The pair that names this end of the container's; NULL: none does. */
static const char *find_pair(const struct oci_strings *pairs, const char *inner)
{
	for (size_t i = 0; i < pairs->n; i++)
		if (!strcmp(strchr(pairs->v[i], '=') + 1, inner))
			return pairs->v[i];
	return NULL;
}

/* ret_list: NULL when there is no file. */
static int read_list(int dir_fd, struct json_object **ret_list, struct err *err)
{
	cleanup_json struct json_object *list = NULL;
	cleanup_free char *text = NULL;

	*ret_list = NULL;
	if (faccessat(dir_fd, VETH_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (fd_read_file_at(dir_fd, VETH_FILE, FILE_MAX, &text, err) < 0 ||
	    oci_json_parse(VETH_FILE, text, strlen(text), &list, err) < 0)
		return -1;
	if (!json_object_is_type(list, json_type_array) || json_object_array_length(list) > PAIRS_MAX)
		return err_set(err, ERR_CONFIG, "%s: must be a list", VETH_FILE);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		cleanup_free char *pair = pair_of(json_object_array_get_idx(list, i));

		if (!pair && !is_alone(json_object_array_get_idx(list, i)))
			return err_set(err, ERR_CONFIG, "%s: element %zu is no pair of interfaces", VETH_FILE, i);
	}
	*ret_list = take_ptr(list);
	return 0;
}

int veth_read(int dir_fd, struct oci_strings *pairs, struct err *err)
{
	cleanup_json struct json_object *list = NULL;

	if (read_list(dir_fd, &list, err) < 0)
		return -1;
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (find_pair(pairs, text_at(o, "container")))
			continue;
		if (is_alone(o))
			return err_set(
				err, ERR_UNSUPPORTED,
				"the other end of the container's interface '%s' was in another network namespace: "
				"--veth NAME=%s has it come back here, --empty-ns network leaves it out",
				text_at(o, "container"), text_at(o, "container"));
		pairs->v = xreallocarray(pairs->v, pairs->n + 1, sizeof(*pairs->v));
		pairs->v[pairs->n++] = pair_of(o);
	}
	return 0;
}

static int set_up_one(struct json_object *o, const struct oci_strings *pairs, struct err *err)
{
	const char *pair = find_pair(pairs, text_at(o, "container")), *addresses[ADDRESSES_MAX];
	cleanup_free char *host = pair ? xasprintf("%.*s", (int)strcspn(pair, "@="), pair) : NULL;
	struct json_object *up = NULL, *list = NULL;
	size_t n = 0;

	if (!host || !json_object_object_get_ex(o, "up", &up) || !json_object_get_boolean(up))
		return 0;
	if (json_object_object_get_ex(o, "addresses", &list) && json_object_is_type(list, json_type_array))
		for (; n < json_object_array_length(list) && n < ADDRESSES_MAX; n++)
			addresses[n] = json_object_get_string(json_object_array_get_idx(list, n));
	return net_device_set_up(host, addresses, n, err);
}

int veth_set_up(int dir_fd, const struct oci_strings *pairs, struct err *err)
{
	cleanup_json struct json_object *list = NULL;

	if (read_list(dir_fd, &list, err) < 0)
		return -1;
	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		if (set_up_one(json_object_array_get_idx(list, i), pairs, err) < 0)
			return err_add(err, "%s", VETH_FILE);
	return 0;
}
