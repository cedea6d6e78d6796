/* SPDX-License-Identifier: Apache-2.0 */
/* A static program that starts as ours do: is everything there that the C library's own start makes?
 *
 * start WORD: what it found, and after main() what exit handlers say.
 * start: writes beyond the end of a buffer. */
#include <pthread.h>
#include <setjmp.h>
#include <sys/auxv.h>

#include "common/start.c"
#include "tests/live/probes/probe.h"

#define BIG_BYTES (3u << 20) /* beyond all thresholds of memcpy(3) */

static __thread int of_thread = 17;
static int constructed, longjumped;
static jmp_buf back;

__attribute__((constructor)) static void construct(int argc, char **argv)
{
	constructed = argc == 2 && argv[1] ? 1 : -1;
}

__attribute__((destructor)) static void destruct(void)
{
	puts("destructor=1");
}

static void at_exit(void)
{
	puts("atexit=1");
}

static void *in_thread(void *arg)
{
	int *ret = arg;

	*ret = of_thread;
	of_thread = 18;
	return ret;
}

static bool copies(void)
{
	unsigned char *a = malloc(BIG_BYTES + 64), *b = malloc(BIG_BYTES + 64);
	bool right = a && b;

	for (size_t i = 0; right && i < BIG_BYTES + 64; i++)
		a[i] = (unsigned char)(i * 7 + (i >> 8));
	for (size_t n = 0; right && n <= BIG_BYTES; n = n * 3 + 1) {
		memset(b, 0xee, BIG_BYTES + 64);
		memcpy(b + 3, a + 5, n);
		right = memcmp(b + 3, a + 5, n) == 0 && b[2] == 0xee && b[n + 3] == 0xee && !memchr(b + n + 3, 0, 16);
		memmove(b + 7, b + 3, n);
		right = right && memcmp(b + 7, a + 5, n) == 0 && strlen("seven b") == 7;
	}
	free(a);
	free(b);
	return right;
}

__attribute__((noinline)) static void overflow(size_t n)
{
	char small[16];

	/* Out of the compiler's sight. */
	__asm__ volatile("" : "+r"(n));
	for (size_t i = 0; i < n; i++)
		((volatile char *)small)[i] = 'x';
}

int main(int argc, char **argv)
{
	uintptr_t canary, pointers;
	pthread_t thread;
	int seen = 0;

	if (argc == 1)
		overflow(64);
	__asm__ volatile("mov %%fs:0x28, %0" : "=r"(canary));
	__asm__ volatile("mov %%fs:0x30, %0" : "=r"(pointers));
	atexit(at_exit);
	if (setjmp(back) == 0)
		longjmp(back, 1);
	else
		longjumped = 1;
	if (pthread_create(&thread, NULL, in_thread, &seen) != 0 || pthread_join(thread, NULL) != 0)
		return 1;
	printf("canary=%lx\npointers=%lx\n", (unsigned long)canary, (unsigned long)pointers);
	printf("argv=%d %s\nenv=%s\nconstructed=%d\nthread=%d %d\nlongjmp=%d\ncopies=%d\nfloat=%.3f\n", argc,
	       argc > 1 ? argv[1] : "", getenv("WORD") ? getenv("WORD") : "", constructed, seen, of_thread, longjumped,
	       copies(), strtod("2.5", NULL) * argc);
	printf("secure=%ld\npage=%ld\nname=%s\n", (long)getauxval(AT_SECURE), sysconf(_SC_PAGESIZE),
	       program_invocation_short_name);
	return 0;
}
