/* SPDX-License-Identifier: Apache-2.0 */
/* criu's lock on a network: what it leaves when it is killed, and whether it is needed. With nftables it is a table "CRIU-..." of family inet, with iptables a chain CRIU that INPUT and
 * OUTPUT jump to.
 *
 * A child of ours enters the namespace, since the shim itself never does; it runs nothing of the container's. Tables are removed over netlink: nft need not be installed. */
#include "shim/checkpoint/netlock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>

#include "common/fd.h"
#include "common/proc.h"
#include "shim/checkpoint/sockets.h"

#define NAME_PREFIX "CRIU"
#define TABLES_MAX 8

struct message {
	struct nlmsghdr nl;
	struct nfgenmsg nf;
	struct nlattr attr;
	char name[NFT_TABLE_MAXNAMELEN];
};

static void fill(struct message *m, uint16_t type, uint16_t flags, uint8_t family, uint16_t res, const char *name)
{
	size_t len = name ? strlen(name) + 1 : 0;

	*m = (struct message) { .nl = { .nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) },
				.nf = { .nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(res) } };
	m->nl.nlmsg_len = NLMSG_LENGTH(sizeof(m->nf));
	if (!name)
		return;
	m->attr.nla_type = NFTA_TABLE_NAME;
	m->attr.nla_len = (uint16_t)(NLA_HDRLEN + len);
	memcpy(m->name, name, len);
	m->nl.nlmsg_len += NLA_ALIGN(m->attr.nla_len);
}

/* The name that a table of the list has, if it is criu's. */
static const char *name_of(const struct nlmsghdr *h)
{
	const char *data = (const char *)NLMSG_DATA(h) + NLMSG_ALIGN(sizeof(struct nfgenmsg));
	const char *end = (const char *)h + h->nlmsg_len;

	while (data + NLA_HDRLEN <= end) {
		const struct nlattr *a = (const struct nlattr *)data;

		if (a->nla_len < NLA_HDRLEN || data + a->nla_len > end)
			return NULL;
		if ((a->nla_type & NLA_TYPE_MASK) == NFTA_TABLE_NAME)
			return !strncmp(data + NLA_HDRLEN, NAME_PREFIX, strlen(NAME_PREFIX)) ? data + NLA_HDRLEN : NULL;
		data += NLA_ALIGN(a->nla_len);
	}
	return NULL;
}

static size_t list_tables(int sock, char names[TABLES_MAX][NFT_TABLE_MAXNAMELEN])
{
	struct message m;
	char buf[16384];
	size_t n = 0;

	fill(&m, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE, NLM_F_DUMP, NFPROTO_INET, 0, NULL);
	if (send(sock, &m, m.nl.nlmsg_len, 0) < 0)
		return 0;
	for (;;) {
		ssize_t len = recv(sock, buf, sizeof(buf), 0);

		if (len <= 0)
			return n;
		for (struct nlmsghdr *h = (struct nlmsghdr *)buf; NLMSG_OK(h, (size_t)len); h = NLMSG_NEXT(h, len)) {
			const char *name;

			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				return n;
			name = name_of(h);
			if (name && n < TABLES_MAX)
				snprintf(names[n++], NFT_TABLE_MAXNAMELEN, "%s", name);
		}
	}
}

static int delete_table(int sock, const char *name, struct err *err)
{
	struct message m[3];
	char batch[sizeof(m)], answer[4096];
	size_t len = 0;
	const struct nlmsghdr *h = (const struct nlmsghdr *)answer;

	fill(&m[0], NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, NULL);
	fill(&m[1], (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_DELTABLE, NLM_F_ACK, NFPROTO_INET, 0, name);
	fill(&m[2], NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(m); i++) {
		memcpy(batch + len, &m[i], m[i].nl.nlmsg_len);
		len += NLMSG_ALIGN(m[i].nl.nlmsg_len);
	}
	if (send(sock, batch, len, 0) < 0 || recv(sock, answer, sizeof(answer), 0) < (ssize_t)sizeof(*h))
		return err_sys(err, "cannot ask for the removal of criu's table");
	if (h->nlmsg_type == NLMSG_ERROR && ((const struct nlmsgerr *)NLMSG_DATA(h))->error)
		return err_sysno(err, -((const struct nlmsgerr *)NLMSG_DATA(h))->error,
				 "cannot remove criu's table '%s'", name);
	return 0;
}

static int clear_nftables(struct err *err)
{
	cleanup_fd int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	char names[TABLES_MAX][NFT_TABLE_MAXNAMELEN];
	size_t n;

	if (sock < 0)
		return 0; /* a kernel that has none */
	n = list_tables(sock, names);
	for (size_t i = 0; i < n; i++)
		if (delete_table(sock, names[i], err) < 0)
			return -1;
	return 0;
}

/* Whether the rule is there or not: what is asked for is that it is not. */
static void run_quietly(char *const argv[])
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) == 0)
		proc_wait(pid);
	posix_spawn_file_actions_destroy(&actions);
}

static void clear_iptables(char *program)
{
	char del[] = "-D", flush[] = "-F", delete_chain[] = "-X", jump[] = "-j", in[] = "INPUT", out[] = "OUTPUT";
	char chain[] = NAME_PREFIX;
	char *const commands[][6] = {
		{ program, del, in, jump, chain, NULL },
		{ program, del, out, jump, chain, NULL },
		{ program, flush, chain, NULL },
		{ program, delete_chain, chain, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		run_quietly(commands[i]);
}

static int clear_all(int ns_fd, struct err *err)
{
	char v4[] = "iptables", v6[] = "ip6tables";

	if (setns(ns_fd, CLONE_NEWNET) < 0)
		return err_sys(err, "cannot enter the network namespace");
	clear_iptables(v4);
	clear_iptables(v6);
	return clear_nftables(err);
}

/* ---- is it needed? ------------------------------------------------------------------------------------------------------- */

/* Criu can leave to itself a listener, a closed socket, and what is left of a connection that has ended. */
static bool is_busy(const struct tcp_row *row, void *arg)
{
	(void)arg;
	return row->state != TCP_LISTEN && row->state != TCP_CLOSE && row->state != TCP_TIME_WAIT;
}

bool netlock_is_needed(pid_t pid)
{
	return sockets_find_tcp(pid, is_busy, NULL) != 0;
}

/* ---- removing it ----------------------------------------------------------------------------------------------------------- */

int netlock_clear(pid_t pid, struct err *err)
{
	cleanup_free char *path = xasprintf("/proc/%d/ns/net", (int)pid);
	cleanup_fd int ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	int status;
	pid_t child;

	if (ns_fd < 0)
		return err_sys(err, "cannot open the network namespace");
	child = fork();
	if (child == 0)
		_exit(clear_all(ns_fd, err) < 0 ? 1 : 0);
	status = child < 0 ? -1 : proc_wait(child);
	if (status < 0)
		return err_sys(err, "cannot run a child");
	return status == 0 ? 0 : err_set(err, ERR_SYS, "cannot remove criu's lock of the network");
}
