/* SPDX-License-Identifier: Apache-2.0 */
/* The C library's start of a static program, without its questions to the processor.
 *
 * glibc asks some 70 times with cpuid(1) what the processor and its caches are, before main(). On bare metal that is nothing; in a virtual machine each question leaves it, which takes 0.1 to
 * 1 ms an exec, and a launch has two of ours. What the answers choose are variants of memcpy(3) and its like, for which SSE2 is enough here: what we copy much of, the kernel copies.
 *
 * So this stands in the place of libc.a's libc-start.o, does what that one does, in its order, and leaves the processor's features empty. It uses what glibc keeps to itself: only for the one
 * version of it that it was written for and tested with, on x86-64; everywhere else the file is empty and the library starts itself. Only linked into static programs (Makefile). */
#include <features.h>

#if defined(__x86_64__) && defined(__GLIBC__) && __GLIBC__ == 2 && __GLIBC_MINOR__ == 36

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* ---- glibc's own, not in its headers --------------------------------------------------------------------------------------- */

extern char **__environ;
extern void *__libc_stack_end;
extern int __libc_enable_secure;    /* AT_SECURE, from _dl_aux_init() on */
extern const uintptr_t *_dl_random; /* AT_RANDOM: 16 bytes of the kernel's */

void _dl_aux_init(ElfW(auxv_t) * auxv);
void __tunables_init(char **env);
void _dl_relocate_static_pie(void);
void __libc_setup_tls(void);
void __libc_early_init(_Bool initial);
void __libc_init_first(int argc, char **argv, char **env);
void __libc_check_standard_fds(void);

/* The linker's and the compiler's. */
typedef void init_fn(int argc, char **argv, char **env);
extern init_fn *const __preinit_array_start[], *const __preinit_array_end[];
extern init_fn *const __init_array_start[], *const __init_array_end[];
extern void (*const __fini_array_start[])(void), (*const __fini_array_end[])(void);
extern const ElfW(Rela) __rela_iplt_start[] __attribute__((weak)), __rela_iplt_end[] __attribute__((weak));
void _init(void);
void _fini(void);

/* What libc-start.o has for memcpy(3) and memset(3), in bytes: sizes of caches, and from which size on they go past them. These are its own values for a processor that says nothing. */
extern const long __x86_data_cache_size, __x86_data_cache_size_half, __x86_shared_cache_size,
	__x86_shared_cache_size_half;
extern const long __x86_shared_non_temporal_threshold, __x86_rep_movsb_threshold, __x86_rep_movsb_stop_threshold;
extern const long __x86_rep_stosb_threshold;
extern const int __x86_string_control;

const long __x86_data_cache_size = 32 << 10, __x86_data_cache_size_half = 16 << 10;
const long __x86_shared_cache_size = 1 << 20, __x86_shared_cache_size_half = 512 << 10;
const long __x86_shared_non_temporal_threshold = 768 << 10;
const long __x86_rep_movsb_threshold = 2048, __x86_rep_movsb_stop_threshold = 768 << 10;
const long __x86_rep_stosb_threshold = 2048;
const int __x86_string_control = 0;

/* ---- the start ------------------------------------------------------------------------------------------------------------- */

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void), void (*fini)(void),
		      void (*rtld_fini)(void), void *stack_end);

/* Functions that are chosen when the program starts: with no features known, the ones that every x86-64 has. */
static inline void choose_functions(void)
{
	for (const ElfW(Rela) *r = __rela_iplt_start; r < __rela_iplt_end; r++)
		*(uintptr_t *)r->r_offset = ((uintptr_t(*)(void))r->r_addend)();
}

/* The stack protector's canary, whose first byte is NUL so that no string goes past it, and what pointers in jump buffers are disguised with. */
static inline void set_guards(void)
{
	uintptr_t canary = _dl_random[0] & ~(uintptr_t)0xff, pointers = _dl_random[1];

	__asm__ volatile("mov %0, %%fs:0x28" : : "r"(canary));
	__asm__ volatile("mov %0, %%fs:0x30" : : "r"(pointers));
}

static void run_fini(void)
{
	for (size_t n = (size_t)(__fini_array_end - __fini_array_start); n > 0; n--)
		__fini_array_start[n - 1]();
	_fini();
}

static void run_init(int argc, char **argv)
{
	for (init_fn *const *f = __preinit_array_start; f < __preinit_array_end; f++)
		(*f)(argc, argv, __environ);
	_init();
	for (init_fn *const *f = __init_array_start; f < __init_array_end; f++)
		(*f)(argc, argv, __environ);
}

__attribute__((no_stack_protector, noreturn)) int __libc_start_main(int (*main)(int, char **, char **), int argc,
								    char **argv, void (*init)(void), void (*fini)(void),
								    void (*rtld_fini)(void), void *stack_end)
{
	char **end;

	__environ = argv + argc + 1;
	__libc_stack_end = stack_end;
	for (end = __environ; *end; end++)
		;
	_dl_aux_init((ElfW(auxv_t) *)(end + 1));
	__tunables_init(__environ);
	_dl_relocate_static_pie();
	choose_functions();
	__libc_setup_tls();
	set_guards();
	__libc_early_init(true);
	__libc_init_first(argc, argv, __environ);
	atexit(run_fini);
	if (__libc_enable_secure)
		__libc_check_standard_fds();
	run_init(argc, argv);
	exit(main(argc, argv, __environ));
}

#endif
