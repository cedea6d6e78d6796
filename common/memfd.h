/* SPDX-License-Identifier: Apache-2.0 */
/* Texts without a natural bound that ride beside a control packet. */
#ifndef THOLE_COMMON_MEMFD_H
#define THOLE_COMMON_MEMFD_H

#include <stddef.h>

#include "common/err.h"

/* A memfd with these bytes, close-on-exec, sealed: nobody who gets it can change it. ret_fd is the caller's. */
int memfd_sealed(const char *name, const void *data, size_t len, int *ret_fd, struct err *err);

/* Read what a peer has sent, from its beginning and wherever its position is: at most `max` bytes, ERR_LIMIT when there are more. Only of a sealed
 * memfd (else ERR_PROTOCOL) is it known that reading it neither waits nor races. ret_data is NUL-terminated beyond ret_len; caller frees. */
int memfd_read(int fd, size_t max, char **ret_data, size_t *ret_len, struct err *err);

#endif
