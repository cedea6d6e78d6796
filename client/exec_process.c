/* SPDX-License-Identifier: Apache-2.0 */
/* The description of a process that `exec` sends: PROTOCOL.md, "Exec". */
#include "client/exec_process.h"

#include <fcntl.h>
#include <string.h>

#include "client/user.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/memfd.h"
#include "common/number.h"

static json_object *strings_of(const struct opt_list *list)
{
	json_object *array = json_new_array();

	for (size_t i = 0; i < list->n; i++)
		json_append(array, json_new_string(list->v[i]));
	return array;
}

/* Is there a later entry of the same name? Which of two a program takes is its own affair. */
static bool is_replaced(const struct opt_list *env, size_t i, size_t name_len)
{
	for (size_t k = i + 1; k < env->n; k++)
		if (!strncmp(env->v[k], env->v[i], name_len + 1))
			return true;
	return false;
}

static int add_env(json_object *process, const struct opt_list *env, struct err *err)
{
	json_object *array;

	for (size_t i = 0; i < env->n; i++)
		if (env->v[i][0] == '=' || !strchr(env->v[i], '='))
			return err_set(err, ERR_USAGE, "--env is K=V, not '%s'", env->v[i]);
	if (env->n == 0)
		return 0;
	array = json_new_array();
	for (size_t i = 0; i < env->n; i++)
		if (!is_replaced(env, i, strcspn(env->v[i], "=")))
			json_append(array, json_new_string(env->v[i]));
	json_add(process, "env", array);
	return 0;
}

/* A number alone leaves the group as the config has it, as with runc. */
static int add_user(json_object *process, const char *rootfs, const char *text, struct err *err)
{
	json_object *o;
	struct user u;

	if (!text)
		return 0;
	if (user_parse(rootfs, text, &u, err) < 0)
		return -1;
	o = json_new_object();
	json_add_int(o, "uid", u.uid);
	if (u.has_gid)
		json_add_int(o, "gid", u.gid);
	json_add(process, "user", o);
	return 0;
}

static int add_gids(json_object *process, const struct opt_list *gids, struct err *err)
{
	json_object *array;
	uint64_t v;

	for (size_t i = 0; i < gids->n; i++)
		if (!number_u64(gids->v[i], USER_ID_MAX, &v))
			return err_set(err, ERR_USAGE, "--additional-gids is the number of a group, not '%s'",
				       gids->v[i]);
	if (gids->n == 0)
		return 0;
	array = json_new_array();
	for (size_t i = 0; i < gids->n && number_u64(gids->v[i], USER_ID_MAX, &v); i++)
		json_append(array, json_new_int64((int64_t)v));
	json_add(process, "addGids", array);
	return 0;
}

static void add_text(json_object *process, const char *key, const char *text)
{
	if (text)
		json_add_string(process, key, text);
}

int exec_process_overlay(const struct exec_options *o, const char *rootfs, char **command, json_object **ret,
			 struct err *err)
{
	cleanup_json json_object *process = json_new_object();

	if (o->cwd && o->cwd[0] != '/')
		return err_set(err, ERR_USAGE, "--cwd is an absolute path, not '%s'", o->cwd);
	json_add(process, "args", json_new_strings((const char *const *)command));
	json_add_bool(process, "terminal", o->tty);
	add_text(process, "cwd", o->cwd);
	add_text(process, "apparmorProfile", o->apparmor);
	add_text(process, "selinuxLabel", o->process_label);
	if (o->no_new_privs.set)
		json_add_bool(process, "noNewPrivileges", o->no_new_privs.v);
	if (o->cap.n > 0)
		json_add(process, "addCapabilities", strings_of(&o->cap));
	if (add_env(process, &o->env, err) < 0 || add_user(process, rootfs, o->user, err) < 0 ||
	    add_gids(process, &o->additional_gids, err) < 0)
		return -1;
	*ret = take_ptr(process);
	return 0;
}

int exec_process_memfd(const char *text, size_t len, int *ret_fd, struct err *err)
{
	if (len > EXEC_PROCESS_MAX)
		return err_set(err, ERR_LIMIT, "the description of the process is larger than %d bytes",
			       EXEC_PROCESS_MAX);
	return memfd_sealed("process", text, len, ret_fd, err);
}
