/* SPDX-License-Identifier: Apache-2.0 */
/* hang: writes a line to stdout, and then from memory whose pages nobody ever brings (userfaultfd(2), with CAP_SYS_PTRACE): the kernel holds the pipe's lock meanwhile, and whoever looks at the pipe hangs with it. */
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tests/live/probes/probe.h"

#define BYTES 4096

int main(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *page = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	range.range.start = (uint64_t)(uintptr_t)page;
	range.range.len = BYTES;
	if (page == MAP_FAILED || fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &range) < 0)
		probe_die("userfaultfd");
	if (write(STDOUT_FILENO, "hangs\n", 6) != 6)
		probe_die("write");
	while (access("/tmp/go", F_OK) < 0)
		usleep(1000);
	return write(STDOUT_FILENO, page, BYTES) < 0 ? PROBE_FAILED : 0;
}
