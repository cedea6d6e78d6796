/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc says of processes that are stopped, traced, or the first of their pid namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/proc.h"

static pid_t sleeping_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void stopped_is_seen_by_what_it_waits_in(void **state)
{
	pid_t pid = sleeping_child();
	int status;

	assert_int_not_equal(proc_waits_in(pid, "do_signal_stop"), 1);
	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(proc_waits_in(pid, "do_signal_stop"), 1);
	end(pid);
	assert_int_equal(proc_waits_in(pid, "do_signal_stop"), -1);
}

static pid_t thread_id;

static void *thread_main(void *arg)
{
	thread_id = gettid();
	if (write(*(int *)arg, "", 1) == 1)
		for (;;)
			pause();
	return NULL;
}

static void one_traced_thread_is_enough(void **state)
{
	int ready[2], traced[2];
	pthread_t thread;
	pid_t tracer;
	char byte;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(traced), 0);
	assert_int_equal(pthread_create(&thread, NULL, thread_main, &ready[1]), 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(proc_tracer(getpid()), 0);
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	tracer = fork();
	if (tracer == 0) {
		long r = ptrace(PTRACE_SEIZE, thread_id, NULL, NULL);

		if (write(traced[1], r < 0 ? "n" : "y", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(traced[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(proc_tracer(getpid()), tracer);
	end(tracer);
	assert_int_equal(proc_tracer(getpid()), 0);
}

static void first_of_its_namespace(void **state)
{
	struct clone_args args = { .flags = CLONE_NEWPID, .exit_signal = SIGCHLD };
	pid_t pid;

	assert_false(proc_is_first(getpid()));
	pid = proc_clone(&args);
	while (pid == 0)
		pause();
	if (pid < 0)
		skip();
	assert_true(proc_is_first(pid));
	assert_int_equal(proc_inner_pid(pid), 1);
	end(pid);
	assert_false(proc_is_first(pid));
}

static void dying(void **state)
{
	pid_t pid = sleeping_child();

	assert_false(proc_is_dying(pid));
	kill(pid, SIGKILL);
	assert_true(proc_is_dying(pid));
	waitpid(pid, NULL, 0);
	assert_true(proc_is_dying(pid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stopped_is_seen_by_what_it_waits_in),
		cmocka_unit_test(one_traced_thread_is_enough),
		cmocka_unit_test(first_of_its_namespace),
		cmocka_unit_test(dying),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
