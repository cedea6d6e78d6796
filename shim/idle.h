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

/* Give the program's text and constants back to the kernel, and sleep until epoll_fd has something. They come again from the page cache as they are
 * used. */
void idle_wait(int epoll_fd);

#endif
