/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that have gone into an image and whose pid namespace stays: their numbers are taken until its first process has reaped them. */
#ifndef THOLE_SHIM_CONTAINER_DEPARTING_H
#define THOLE_SHIM_CONTAINER_DEPARTING_H

#include <stddef.h>
#include <sys/types.h>

struct event_base;
struct departing;

/* While they are there. One that is gone already is no matter. */
struct departing *departing_new(struct event_base *base, const pid_t *pids, size_t n);
void departing_free(struct departing *d); /* accepts NULL */

/* They have been killed. Returns 1: nobody is left, done_cb never comes. 0: it comes from the loop, when nobody is left or after timeout_ms; `left`: how many are not reaped. */
int departing_await(struct departing *d, unsigned int timeout_ms, void (*done_cb)(void *arg, size_t left), void *arg);

#endif
