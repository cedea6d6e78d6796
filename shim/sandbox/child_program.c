/* SPDX-License-Identifier: Apache-2.0 */
/* The program of a container's process: where it is, what environment it gets, why it cannot be executed.
 *
 * Runs as the container's process, after pivot_root; what it looks at is the container's own. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/sandbox/child_internal.h"
#include "shim/sandbox/user.h"

/* By these words docker and podman tell a program that is missing from other failures. */
#define NOT_FOUND "executable file not found in $PATH"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static char **find_var(char **env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env++)
		if (!strncmp(*env, name, n) && (*env)[n] == '=')
			return env;
	return NULL;
}

/* A variable, by where it stands in the environment. */
static int compare_names(const void *a, const void *b)
{
	char *const *x = *(char *const *const *)a, *const *y = *(char *const *const *)b;
	size_t nx = strcspn(*x, "="), ny = strcspn(*y, "=");
	int order = strncmp(*x, *y, nx < ny ? nx : ny);

	if (order == 0)
		order = (nx > ny) - (nx < ny);
	return order ? order : (x > y) - (x < y);
}

/* Of variables with one name the last counts, as in runc and crun; most programs would see the first. Their order stays, the place that is left is NULL. */
static size_t drop_repeated(char **env, size_t n)
{
	cleanup_free char ***by_name = xcalloc(n + 1, sizeof(*by_name));
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		by_name[i] = &env[i];
	qsort(by_name, n, sizeof(*by_name), compare_names);
	for (size_t i = 0; i + 1 < n; i++)
		if (strcspn(*by_name[i], "=") == strcspn(*by_name[i + 1], "=") &&
		    !strncmp(*by_name[i], *by_name[i + 1], strcspn(*by_name[i], "=")))
			*by_name[i] = NULL;
	for (size_t i = 0; i < n; i++)
		if (env[i])
			env[kept++] = env[i];
	for (size_t i = kept; i < n; i++)
		env[i] = NULL;
	return kept;
}

int child_make_env(const struct oci_process *process, int root_fd, struct child_program *prog, struct err *err)
{
	char home_dir[PATH_MAX], **home;
	size_t n = process->env.n;

	prog->env = xcalloc(n + 2, sizeof(*prog->env));
	if (n)
		memcpy(prog->env, process->env.v, n * sizeof(*prog->env));
	n = drop_repeated(prog->env, n);
	home = find_var(prog->env, "HOME");
	if (home && (*home)[strlen("HOME=")])
		return 0;
	if (user_home(root_fd, process->uid, home_dir, sizeof(home_dir), err) < 0)
		return -1;
	*(home ? home : &prog->env[n]) = xasprintf("HOME=%s", home_dir);
	return 0;
}

/* Why the kernel will refuse, as far as that can be seen beforehand. 0: it looks executable. */
static int judge(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? err_set(err, ERR_COMMAND_NOT_FOUND, "exec %s: no such file or directory", path)
			       : err_set(err, ERR_NOT_EXECUTABLE, "exec %s: %s", path, strerrordesc_np(errno));
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_NOT_EXECUTABLE, "exec %s: permission denied: it is a directory", path);
	if (!(st.st_mode & 0111))
		return err_set(err, ERR_NOT_EXECUTABLE, "exec %s: permission denied: it has no x bit (mode %04o)", path,
			       st.st_mode & 07777);
	/* EPERM is what a filter says that has not heard of the call: then execve is the one to judge. */
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 && errno != EPERM)
		return err_set(err, ERR_NOT_EXECUTABLE, "exec %s: %s for this user (mode %04o, owner %u:%u)", path,
			       errno == EACCES ? "permission denied" : strerrordesc_np(errno), st.st_mode & 07777,
			       st.st_uid, st.st_gid);
	return 0;
}

/* As execvp(3): the first executable one; if there is none, the first that exists says why. */
static int search_path(const char *name, const char *path, struct child_program *prog, struct err *err)
{
	struct err first = { 0 };

	for (const char *p = path;; p++) {
		size_t n = strcspn(p, ":");
		int len = snprintf(prog->path, sizeof(prog->path), "%.*s%s%s", (int)n, p, n ? "/" : "./", name);
		struct err found;

		if (len > 0 && (size_t)len < sizeof(prog->path)) {
			if (judge(prog->path, &found) == 0)
				return 0;
			if (found.code != ERR_COMMAND_NOT_FOUND && !first.code)
				first = found;
		}
		p += n;
		if (!*p)
			break;
	}
	if (first.code) {
		*err = first;
		return -1;
	}
	return err_set(err, ERR_COMMAND_NOT_FOUND, "exec %s: " NOT_FOUND " (%s)", name, path);
}

int child_find_program(const struct oci_process *process, struct child_program *prog, struct err *err)
{
	const char *name = process->args.n ? process->args.v[0] : "";
	char **var = find_var(prog->env, "PATH");
	const char *path = var ? *var + strlen("PATH=") : "";

	if (!process->args.n)
		return err_set(err, ERR_CONFIG, "process.args: there is no program to execute");
	if (!name[0])
		return err_set(err, ERR_COMMAND_NOT_FOUND, "exec '': " NOT_FOUND);
	if (!strchr(name, '/'))
		return search_path(name, path[0] ? path : DEFAULT_PATH, prog, err);
	if (strlen(name) >= sizeof(prog->path))
		return err_set(err, ERR_COMMAND_NOT_FOUND, "exec %.64s...: the path is too long", name);
	memcpy(prog->path, name, strlen(name) + 1);
	return judge(prog->path, err);
}

/* The interpreter that "#!" names, or that an ELF file without its loader lacks. */
static bool script_interpreter(const char *path, char *buf, size_t size)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);
	char *start;

	if (n < 3 || buf[0] != '#' || buf[1] != '!')
		return false;
	buf[n] = '\0';
	start = buf + 2 + strspn(buf + 2, " \t");
	start[strcspn(start, " \t\r\n")] = '\0';
	memmove(buf, start, strlen(start) + 1);
	return true;
}

int child_execve(const struct oci_process *process, const struct child_program *prog, struct err *err)
{
	char interpreter[256];
	int saved;

	execve(prog->path, process->args.v, prog->env);
	saved = errno;
	if (saved == ENOENT && script_interpreter(prog->path, interpreter, sizeof(interpreter)))
		return err_set(err, ERR_COMMAND_NOT_FOUND, "exec %s: its interpreter '%s' does not exist", prog->path,
			       interpreter);
	if (saved == ENOENT && access(prog->path, F_OK) == 0)
		return err_set(err, ERR_COMMAND_NOT_FOUND,
			       "exec %s: the loader that it names does not exist in the rootfs", prog->path);
	if (saved == ENOENT)
		return err_set(err, ERR_COMMAND_NOT_FOUND, "exec %s: no such file or directory", prog->path);
	if (saved == ENOEXEC)
		return err_set(err, ERR_NOT_EXECUTABLE,
			       "exec %s: exec format error: neither a program for this machine nor a "
			       "script with '#!'",
			       prog->path);
	err_sysno(err, saved, "exec %s", prog->path);
	err->code = ERR_NOT_EXECUTABLE;
	return -1;
}
