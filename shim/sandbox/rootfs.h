/* SPDX-License-Identifier: Apache-2.0 */
/* Paths below a container's root: resolved once, to a descriptor, never walked a second time.
 *
 * The content of a root file system is hostile: any component may be a symbolic link, and may change while we look.
 * Everything here goes through openat2(2) with RESOLVE_IN_ROOT, so that no link leads out of the root (CVE-2019-18837,
 * CVE-2021-30465, CVE-2024-45310, CVE-2025-24965). */
#ifndef THOLE_SHIM_SANDBOX_ROOTFS_H
#define THOLE_SHIM_SANDBOX_ROOTFS_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

/* What stands at the end of the path when it has to be made. */
enum rootfs_kind { ROOTFS_DIR, ROOTFS_FILE };

/* Open what PATH (absolute, as seen inside) names below root_fd, O_PATH|O_CLOEXEC. Links are followed inside the root.
 * ENOENT when it is missing. */
int rootfs_open(int root_fd, const char *path, int *ret_fd, struct err *err);

/* The same, but no component may be a symbolic link (ELOOP). */
int rootfs_open_nolinks(int root_fd, const char *path, int *ret_fd, struct err *err);

/* Open PATH, making what is missing: directories 0755 and, for ROOTFS_FILE, an empty file 0644 at the end. Made by descriptor,
 * one component at a time; each component is a real directory below the root when the next one is made in it. Links are followed below the root, also those that have nothing behind
 * them: that is then made. An existing end of the other kind is an error. rootfs_make_plain() makes nothing behind a link (ELOOP, ENOTDIR). */
int rootfs_make(int root_fd, const char *path, enum rootfs_kind kind, int *ret_fd, struct err *err);
int rootfs_make_plain(int root_fd, const char *path, enum rootfs_kind kind, int *ret_fd, struct err *err);

/* Open PATH for reading or writing (flags without O_CREAT) below the root. */
int rootfs_open_flags(int root_fd, const char *path, int flags, int *ret_fd, struct err *err);

/* Is this descriptor the character device MAJOR:MINOR? (CVE-2025-31133: a masked path bound from something else) */
bool rootfs_is_chardev(int fd, unsigned int major, unsigned int minor);

#endif
