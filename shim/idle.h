/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting with next to nothing in memory. */
#ifndef THOLE_SHIM_IDLE_H
#define THOLE_SHIM_IDLE_H

#include <stdbool.h>

struct event_base;

/* The epoll descriptor of an event base, which has to be the last thing that was made: `expected` is the descriptor number that was free before. -1 when
 * it is something else. Borrowed. */
int idle_find_epoll(int expected);

/* Does a timer of the base run, or wait events that are no descriptor's? idle_wait() would sleep through them. */
bool idle_has_work(struct event_base *base);

/* Give the program's text and constants back to the kernel: what is used comes again from the page cache, what was only for the start does not. */
void idle_drop(void);

/* The same, and sleep until epoll_fd has something. */
void idle_wait(int epoll_fd);

#endif
