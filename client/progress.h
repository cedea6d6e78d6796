/* SPDX-License-Identifier: Apache-2.0 */
/* How far a checkpoint is, as a bar on the caller's terminal. */
#ifndef THOLE_CLIENT_PROGRESS_H
#define THOLE_CLIENT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_INTERVAL_MS 100

struct progress {
	const char *id;
	int set_fd;           /* where the image grows, below SET_NEW */
	uint64_t total_bytes; /* about; 0: not known yet */
	bool shown;
};

/* Is there a terminal to show it on? */
bool progress_wanted(void);

/* Draw it anew; and take it away. */
void progress_show(struct progress *p);
void progress_end(struct progress *p);

#endif
