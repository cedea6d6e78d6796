/* SPDX-License-Identifier: Apache-2.0 */
/* thole recover: give containers a shim whose own has died, and clean up what creations have left that never came to their end. */
#include "client/all.h"
#include "client/command.h"

static int recover_one(const struct client *cl, const char *id, void *arg, struct err *err)
{
	return all_recover_one(cl, id, err);
}

/* One that cannot be recovered does not keep the others from it. Gone meanwhile, or taken by another, is fine when it was not named. */
static bool recover_or_say(const struct client *cl, const char *id, bool named)
{
	struct err err;

	if ((named ? all_recover_one(cl, id, &err) : all_try(cl, id, recover_one, NULL, &err)) == 0)
		return true;
	client_report(cl, &err);
	return false;
}

static bool visit(const struct client *cl, const char *id, void *arg)
{
	return recover_or_say(cl, id, false);
}

int cmd_recover(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct recover_options *o = inv->options;
	bool well = true;
	int r;

	if (o->all && inv->n > 0)
		return err_set(err, ERR_USAGE, "--all and an ID contradict each other");
	if (o->all) {
		r = all_containers(cl, visit, NULL, err);
		return r < 0 ? -1 : !r;
	}
	if (inv->n == 0)
		return err_set(err, ERR_USAGE, "recover needs an ID, or --all");
	for (int i = 0; i < inv->n; i++)
		well = recover_or_say(cl, inv->operands[i], true) && well;
	return well ? 0 : 1;
}
