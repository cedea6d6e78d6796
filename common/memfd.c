/* SPDX-License-Identifier: Apache-2.0 */
/* Texts without a natural bound that ride beside a control packet. */
#include "common/memfd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/fd.h"

#define SEALS_WANTED (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

int memfd_sealed(const char *name, const void *data, size_t len, int *ret_fd, struct err *err)
{
	/* Not MFD_NOEXEC_SEAL, which is a seal more: journald (systemd 252) takes files with these seals and no other. vm.memfd_noexec adds it by itself. */
	cleanup_fd int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_sys(err, "cannot make a memfd");
	if (fd_write_all(fd, data, len, err) < 0)
		return -1;
	if (fcntl(fd, F_ADD_SEALS, SEALS_WANTED | F_SEAL_SEAL) < 0)
		return err_sys(err, "cannot seal a memfd");
	*ret_fd = take_fd(&fd);
	return 0;
}

int memfd_read(int fd, size_t max, char **ret_data, size_t *ret_len, struct err *err)
{
	cleanup_free char *data = NULL;
	int seals = fcntl(fd, F_GET_SEALS);
	size_t len = 0, size;
	struct stat st;

	if (seals < 0 || (seals & SEALS_WANTED) != SEALS_WANTED)
		return err_set(err, ERR_PROTOCOL, "the descriptor is no sealed memfd");
	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at a descriptor");
	if ((uint64_t)st.st_size > max)
		return err_set(err, ERR_LIMIT, "larger than %zu bytes", max);
	size = (size_t)st.st_size;
	data = xmalloc(size + 1);
	while (len < size) {
		ssize_t n = pread(fd, data + len, size - len, (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot read a descriptor");
		if (n == 0)
			break;
		len += (size_t)n;
	}
	data[len] = '\0';
	*ret_data = take_ptr(data);
	*ret_len = len;
	return 0;
}
