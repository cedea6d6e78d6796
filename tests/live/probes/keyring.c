/* SPDX-License-Identifier: Apache-2.0 */
/* keyring join NAME CMD...: executes it in a new session keyring of that name, with a key "secret" in it.
 * keyring watch: says for ever, a line at a time, which session keyring it is in and whether it can read that key. */
#include <linux/keyctl.h>
#include <sys/syscall.h>

#include "tests/live/probes/probe.h"

static void join(char **argv) __attribute__((noreturn));
static void join(char **argv)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, argv[0], 0, 0, 0) < 0 ||
	    syscall(SYS_add_key, "user", "secret", "it", 2, KEY_SPEC_SESSION_KEYRING) < 0)
		probe_die("keyring");
	execvp(argv[1], argv + 1);
	probe_die("%s", argv[1]);
}

static void watch(void) __attribute__((noreturn));
static void watch(void)
{
	for (;;) {
		char text[512] = "", *name;
		long key;

		syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, text, sizeof(text) - 1, 0);
		name = strrchr(text, ';');
		key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "secret", 0);
		printf("session=%s secret=%s\n", name ? name + 1 : "?", key > 0 ? "read" : "none");
		fflush(stdout);
		usleep(5000);
	}
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "join"))
		join(argv + 2);
	watch();
}
