/* SPDX-License-Identifier: Apache-2.0 */
/* An image that came from somewhere: what is wrong with it before anybody opens a file in it. */
#ifndef THOLE_SHIM_CHECKPOINT_DISTRUST_H
#define THOLE_SHIM_CHECKPOINT_DISTRUST_H

#include "common/err.h"

/* Is there nothing in the directory but files and directories (and criu's link `parent`)? ERR_CONFIG names what is not. Does not look into directories. */
int distrust_image(int dir_fd, struct err *err);

#endif
