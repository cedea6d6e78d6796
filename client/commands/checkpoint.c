/* SPDX-License-Identifier: Apache-2.0 */
/* thole checkpoint: write a running container to files, and stop it, keep it or let it go on. */
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "client/call.h"
#include "client/checkpoint.h"
#include "client/progress.h"
#include "client/signals.h"
#include "common/fd.h"
#include "common/statedir.h"

#define CANCEL_TIMEOUT_MS 30000

/* Until there is something to hear. */
static void watch(struct call *c, struct progress *p)
{
	struct pollfd fds[] = { { .fd = c->sock, .events = POLLIN }, { .fd = c->signal_fd, .events = POLLIN } };

	while (poll(fds, ARRAY_SIZE(fds), PROGRESS_INTERVAL_MS) == 0)
		progress_show(p);
}

static int await(const struct client *cl, struct call *c, struct progress *p, struct err *err)
{
	struct wire_fds fds = { 0 };
	Reply reply;
	int r;

	do {
		if (p->set_fd >= 0 && progress_wanted())
			watch(c, p);
		r = call_reply(c, &reply, &fds, err);
		if (r == 0 && reply.which_body == Reply_checkpoint_tag && reply.body.checkpoint.note[0]) {
			progress_end(p);
			client_remark(cl, "container '%s': without --pre-copy: %s", p->id, reply.body.checkpoint.note);
		} else if (r == 0 && reply.which_body == Reply_checkpoint_tag) {
			p->total_bytes = reply.body.checkpoint.total_bytes;
		}
		wire_fds_release(&fds);
	} while (r == 0 && reply.more);
	progress_end(p);
	return r;
}

static int request(const struct client *cl, const char *id, const struct checkpoint_files *f, bool pre_copy, int set_fd,
		   struct call *c, struct err *err)
{
	struct progress progress = { .id = id, .set_fd = set_fd };
	cleanup_fd int dir_fd = -1;
	cleanup_handover struct handover beside = { .n = 0 };
	Request req = Request_init_zero;
	FdRole roles[WIRE_ROLES_MAX];

	req.which_body = Request_checkpoint_tag;
	req.body.checkpoint.progress = set_fd >= 0;
	if (checkpoint_files_add(f, &beside, err) < 0)
		return -1;
	handover_roles(&beside, roles, &req.body.checkpoint.fd_role_count);
	for (int i = 0; i < beside.n; i++)
		req.body.checkpoint.fd_role[i] = roles[i];
	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0 || call_open(cl, id, dir_fd, CALL_SERVE, c, err) < 0)
		return -1;
	if (pre_copy && !(c->features & WIRE_FEATURE_PRE_COPY))
		return err_set(err, ERR_UNSUPPORTED,
			       "the shim of container '%s' is older than --pre-copy ('thole upgrade' changes that)",
			       id);
	return call_send(c, &req, beside.fd, beside.n, err) < 0 ? -1 : await(cl, c, &progress, err);
}

int checkpoint_ask(const struct client *cl, const char *id, const struct checkpoint_files *f, bool pre_copy, int set_fd,
		   struct err *err)
{
	cleanup_call struct call c = CALL_NONE;
	cleanup_fd int signal_fd = -1;

	if (signals_open(SIGNALS_OWN, &signal_fd, err) < 0)
		return -1;
	c.signal_fd = signal_fd;
	if (request(cl, id, f, pre_copy, set_fd, &c, err) == 0)
		return 0;
	if (!call_interrupted(err))
		return -1;
	call_abandon(&c, CANCEL_TIMEOUT_MS);
	checkpoint_files_unmake(f);
	signals_die(c.signal);
	return -1;
}

static int checkpoint_to_directory(const struct client *cl, const char *id, const struct criu_options *o,
				   struct err *err)
{
	struct checkpoint_files f cleanup_checkpoint_files = CHECKPOINT_FILES_NONE;
	cleanup_fd int dir_fd = -1;

	/* Before a directory is made for one that is not there. */
	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0 || checkpoint_files_open(cl, o, true, &f, err) < 0)
		return -1;
	if (checkpoint_ask(cl, id, &f, o->pre_copy, -1, err) == 0)
		return 0;
	checkpoint_files_unmake(&f);
	return -1;
}

/* What only means something with --to. */
static int check_options(const struct criu_options *o, int n_operands, struct err *err)
{
	const struct {
		bool given;
		const char *name;
	} flags[] = {
		{ o->name, "name" },       { o->keep.set, "keep" },     { o->max_size, "max-size" },
		{ o->all, "all" },         { o->label.n > 0, "label" }, { o->match, "match" },
		{ o->verbose, "verbose" }, { o->rootfs, "rootfs" },     { o->include_bind.n > 0, "include-bind" },
	};
	/* Where an image has its directory to itself. */
	const struct {
		bool given;
		const char *name;
	} others[] = {
		{ o->image_path, "image-path" },   { o->work_path, "work-path" }, { o->parent_path, "parent-path" },
		{ o->page_server, "page-server" }, { o->pre_dump, "pre-dump" },   { o->lazy_pages, "lazy-pages" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].given && !o->to)
			return err_set(err, ERR_USAGE, "--%s needs --to", flags[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (others[i].given && o->to)
			return err_set(err, ERR_USAGE, "--to and --%s contradict each other", others[i].name);
	if ((o->label.n > 0 || o->match) && !o->all)
		return err_set(err, ERR_USAGE, "--%s needs --all", o->match ? "match" : "label");
	if (o->compress)
		return err_set(err, ERR_USAGE, "--compress is for 'checkpoint export'");
	if (o->stay && o->leave_running)
		return err_set(err, ERR_USAGE, "--stay and --leave-running contradict each other");
	/* A variable that is not set: no job is to back up nothing for ever. */
	if (o->match && !o->match[0])
		return err_set(err, ERR_USAGE, "--match: an empty pattern matches no container");
	for (size_t i = 0; i < o->label.n; i++)
		if (!o->label.v[i][0] || o->label.v[i][0] == '=')
			return err_set(err, ERR_USAGE, "--label: '%s' has no key", o->label.v[i]);
	if (n_operands != !o->all)
		return err_set(err, ERR_USAGE, o->all ? "--all and an id contradict each other" : "which container?");
	return 0;
}

/* A container may be called as one of the words that do not ask for a checkpoint. */
static bool means_container(const struct client *cl, const struct invocation *inv)
{
	const struct criu_options *o = inv->options;
	cleanup_fd int dir_fd = -1;
	struct err ignored;

	return inv->n == 1 && (o->to || client_open_container(cl, inv->operands[0], NULL, &dir_fd, &ignored) == 0);
}

/* What else can be asked for than a checkpoint. */
static const struct word {
	const char *word, *operands;
	int n;
	const char *option; /* the only one that it takes; NULL: none */
} words[] = {
	{ "inspect", "IMG", 1, NULL },
	{ "export", "IMG FILE", 2, "compress" },
	{ "import", "FILE DIR", 2, "name" },
};

/* ret_word: NULL, or which of them it is. */
static int check_words(const struct client *cl, const struct invocation *inv, const char **ret_word, struct err *err)
{
	*ret_word = NULL;
	for (size_t i = 0; inv->n > 0 && i < ARRAY_SIZE(words); i++) {
		const struct word *w = &words[i];
		const char *option;

		if (strcmp(inv->operands[0], w->word) != 0)
			continue;
		if (inv->n - 1 != w->n)
			return means_container(cl, inv)
				       ? 0
				       : err_set(err, ERR_USAGE, "too %s operands: the usage is '%s checkpoint %s %s'",
						 inv->n - 1 < w->n ? "few" : "many", cl->program, w->word, w->operands);
		option = options_given(command_find("checkpoint")->options, inv->options, w->option);
		if (option)
			return err_set(err, ERR_USAGE, "--%s is not for 'checkpoint %s'", option, w->word);
		*ret_word = w->word;
	}
	return 0;
}

int cmd_checkpoint(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct criu_options *o = inv->options;
	const char *id = inv->n > 0 ? inv->operands[0] : NULL, *word;

	if (check_words(cl, inv, &word, err) < 0)
		return -1;
	/* What we make is its owner's alone, and his in any case: the caller's umask may take away even that. */
	umask(0077);
	if (word && !strcmp(word, "inspect"))
		return checkpoint_inspect(inv->operands[1], err);
	if (word && !strcmp(word, "export"))
		return checkpoint_export(inv->operands[1], inv->operands[2], o->compress, err);
	if (word && !strcmp(word, "import"))
		return checkpoint_import(inv->operands[1], inv->operands[2], o->name, err);
	if (check_options(o, inv->n, err) < 0 || (id && statedir_check_id(id, err) < 0))
		return -1;
	return o->to ? checkpoint_to_set(cl, id, o, err) : checkpoint_to_directory(cl, id, o, err);
}
