/* SPDX-License-Identifier: Apache-2.0 */
/* When a container's memory has been written often enough while it goes on. */
#ifndef THOLE_SHIM_CHECKPOINT_ROUNDS_H
#define THOLE_SHIM_CHECKPOINT_ROUNDS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/manifest.h"

/* Would one more pre-dump make the pause shorter? `rounds`: what criu has measured of those that were made, `n` of at most `max`. Not if the last one has written no more than a MiB or a
 * hundredth of what the first one has: then the rest is small. Nor if it has written more than three quarters of what the one before it has: then the container writes as fast as it is read.
 * */
bool rounds_go_on(const struct manifest_statistics *rounds, size_t n, size_t max);

#endif
