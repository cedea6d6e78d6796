/* SPDX-License-Identifier: Apache-2.0 */
/* A process with much to lose: threads, pipes to children, a file, signalfd, timerfd, eventfd, inotify, all in one epoll. Every 50 ms it prints one line of counters:
 * "ticks=N signals=N names=N events=N lines=N threads=N file=N". It is sent SIGUSR1 and given files in /tmp/watched from outside. */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "tests/live/probes/probe.h"

#define THREADS 4
#define CHILDREN 3

static unsigned int turns[THREADS];
static int event_fd;

static void *turn(void *arg)
{
	unsigned int *mine = arg;
	uint64_t one = 1;

	for (;;) {
		poll(NULL, 0, 5);
		__atomic_add_fetch(mine, 1, __ATOMIC_RELAXED);
		if (write(event_fd, &one, sizeof(one)) < 0)
			return NULL;
	}
}

/* A child writes a line every 10 ms. */
static int talkative_child(void)
{
	int p[2];

	if (pipe(p) < 0)
		exit(1);
	if (fork() == 0) {
		close(p[0]);
		for (;;) {
			poll(NULL, 0, 10);
			if (write(p[1], "line\n", 5) < 0)
				_exit(1);
		}
	}
	close(p[1]);
	return p[0];
}

static void add(int epoll_fd, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	if (fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
		exit(1);
}

static unsigned int least(void)
{
	unsigned int n = turns[0];

	for (int i = 1; i < THREADS; i++)
		if (turns[i] < n)
			n = turns[i];
	return n;
}

int main(void)
{
	/* Set anew each time: CRIU 4.2 brings a periodic one that has expired and not been read back with its tick, but stopped. */
	const struct itimerspec soon = { { 0, 0 }, { 0, 50000000 } };
	unsigned int ticks = 0, signals = 0, names = 0, events = 0, lines = 0;
	int epoll_fd = epoll_create1(0), timer_fd = timerfd_create(CLOCK_MONOTONIC, 0), watch_fd = inotify_init1(0);
	int child[CHILDREN], signal_fd, file = open("/tmp/counted", O_RDWR | O_CREAT | O_TRUNC, 0600);
	pthread_t thread;
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	signal_fd = signalfd(-1, &usr1, 0);
	event_fd = eventfd(0, 0);
	mkdir("/tmp/watched", 0777);
	if (inotify_add_watch(watch_fd, "/tmp/watched", IN_CREATE) < 0 || timerfd_settime(timer_fd, 0, &soon, NULL) < 0)
		return 1;
	for (int i = 0; i < CHILDREN; i++)
		add(epoll_fd, child[i] = talkative_child());
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, turn, &turns[i]))
			return 1;
	add(epoll_fd, timer_fd);
	add(epoll_fd, watch_fd);
	add(epoll_fd, signal_fd);
	add(epoll_fd, event_fd);
	for (;;) {
		struct epoll_event e;
		char buf[4096];
		ssize_t n;

		if (epoll_wait(epoll_fd, &e, 1, -1) < 1 || (n = read(e.data.fd, buf, sizeof(buf))) <= 0)
			continue;
		signals += e.data.fd == signal_fd;
		names += e.data.fd == watch_fd;
		events += e.data.fd == event_fd;
		for (int i = 0; i < CHILDREN; i++)
			lines += e.data.fd == child[i];
		if (e.data.fd != timer_fd)
			continue;
		ticks++;
		timerfd_settime(timer_fd, 0, &soon, NULL);
		if (pwrite(file, &ticks, sizeof(ticks), 0) < 0)
			return 1;
		printf("ticks=%u signals=%u names=%u events=%u lines=%u threads=%u file=%d\n", ticks, signals, names,
		       events, lines, least(), (int)lseek(file, 0, SEEK_CUR));
		fflush(stdout);
	}
}
