/* SPDX-License-Identifier: Apache-2.0 */
/* Has an image all the pages that it says it has? criu (4.2.1) reads on and on at the end of a file that is too short, and fills its log with that. */
#ifndef THOLE_SHIM_CHECKPOINT_PAGEMAP_H
#define THOLE_SHIM_CHECKPOINT_PAGEMAP_H

#include "common/err.h"

/* Of the image in this directory and of those that it goes on from ("parent"). ERR_CONFIG names the file that is too short, or a map of pages that is none. */
int pagemap_check(int images_fd, struct err *err);

#endif
