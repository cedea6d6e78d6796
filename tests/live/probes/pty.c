/* SPDX-License-Identifier: Apache-2.0 */
/* pty [-s ROWSxCOLS] CMD ARGS...: runs CMD on a terminal of its own and plays the script that it reads from stdin, one step a line:
 *     expect TEXT     wait until TEXT has been printed after what was expected last (ten seconds, then status 98)
 *     send TEXT       type it; C escapes \n \r \xHH are understood
 *     size ROWSxCOLS  change the terminal's size
 *     signal N        send CMD a signal
 *     end             wait until CMD has ended
 * All that was printed goes to stdout. The exit status is CMD's (128+signal). Afterwards it says on stderr when the terminal was
 * left in raw mode. */
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <utmp.h>

#include "tests/live/probes/probe.h"

#define STEP_DEADLINE_MS 10000
#define EXPECT_FAILED 98

static char seen[1 << 20];
static size_t n_seen, expected;
static int master = -1;
static pid_t child;
static bool hung_up;

/* Take what has been printed within `ms`. */
static void drain(int ms)
{
	struct pollfd p = { .fd = master, .events = POLLIN };

	if (hung_up || poll(&p, 1, ms) <= 0)
		return;
	ssize_t n = read(master, seen + n_seen, sizeof(seen) - 1 - n_seen);

	if (n <= 0) {
		hung_up = true;
		return;
	}
	if (write(STDOUT_FILENO, seen + n_seen, (size_t)n) < 0)
		probe_die("write");
	n_seen += (size_t)n;
	seen[n_seen] = '\0';
}

static void expect(const char *text)
{
	int64_t end = probe_now_ms() + STEP_DEADLINE_MS;

	for (;;) {
		char *at = memmem(seen + expected, n_seen - expected, text, strlen(text));

		if (at) {
			expected = (size_t)(at - seen) + strlen(text);
			return;
		}
		if (hung_up || probe_now_ms() > end) {
			fprintf(stderr, "\npty: never saw '%s'%s\n", text, hung_up ? " (hung up)" : "");
			kill(child, SIGKILL);
			exit(EXPECT_FAILED);
		}
		drain(50);
	}
}

static void send_text(const char *text)
{
	for (; *text; text++) {
		char c = *text;

		if (c == '\\' && text[1]) {
			text++;
			c = *text == 'n' ? '\n' : *text == 'r' ? '\r' : *text;
			if (*text == 'x') {
				c = (char)strtol((char[]) { text[1], text[2], 0 }, NULL, 16);
				text += 2;
			}
		}
		if (write(master, &c, 1) != 1)
			probe_die("write to the terminal");
	}
}

static struct winsize size_of(const char *text)
{
	unsigned int rows = 0, columns = 0;

	if (sscanf(text, "%ux%u", &rows, &columns) != 2)
		exit(PROBE_FAILED);
	return (struct winsize) { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };
}

static int end(void)
{
	int64_t deadline = probe_now_ms() + STEP_DEADLINE_MS;
	int status;

	/* The slave is closed once CMD has ended, which reads as EIO here; but something it left may still hold it. */
	while (waitpid(child, &status, WNOHANG) == 0) {
		if (probe_now_ms() > deadline) {
			fprintf(stderr, "pty: the command does not end\n");
			kill(child, SIGKILL);
			exit(EXPECT_FAILED);
		}
		drain(50);
		if (hung_up)
			poll(NULL, 0, 10);
	}
	drain(100);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int play(int slave)
{
	char line[4096];
	struct termios tio;

	while (fgets(line, sizeof(line), stdin)) {
		struct winsize ws;

		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "expect ", 7)) {
			expect(line + 7);
		} else if (!strncmp(line, "send ", 5)) {
			send_text(line + 5);
		} else if (!strncmp(line, "size ", 5)) {
			ws = size_of(line + 5);
			ioctl(master, TIOCSWINSZ, &ws);
		} else if (!strncmp(line, "signal ", 7)) {
			kill(child, atoi(line + 7));
		} else if (strcmp(line, "end") && line[0]) {
			fprintf(stderr, "pty: no step '%s'\n", line);
			return PROBE_FAILED;
		}
	}
	int status = end();

	if (tcgetattr(slave, &tio) == 0 && !(tio.c_lflag & ICANON))
		fprintf(stderr, "pty: the terminal was left raw\n");
	return status;
}

int main(int argc, char **argv)
{
	struct winsize ws = { .ws_row = 24, .ws_col = 80 };
	int slave;

	if (argc > 2 && !strcmp(argv[1], "-s")) {
		ws = size_of(argv[2]);
		argv += 2;
	}
	if (!argv[1] || openpty(&master, &slave, NULL, NULL, &ws) < 0)
		probe_die("openpty");
	fcntl(master, F_SETFD, FD_CLOEXEC);
	child = fork();
	if (child < 0)
		probe_die("fork");
	if (child == 0) {
		if (login_tty(slave) < 0)
			probe_die("login_tty");
		execvp(argv[1], argv + 1);
		probe_die("exec %s", argv[1]);
	}
	return play(slave);
}
