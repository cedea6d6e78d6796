/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's terminal: its size, and raw mode that is undone on every way out. */
#ifndef THOLE_CLIENT_TERM_H
#define THOLE_CLIENT_TERM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* Size of the terminal behind one of the descriptors 0, 1, 2. False when none is a terminal, or it has no size. */
bool term_size(uint32_t *ret_rows, uint32_t *ret_columns);

/* Put the terminal at fd into raw mode until term_restore(), exit(3) or a deadly signal; while SIGTSTP stops us it is as it was. Blocks (is stopped) while we are in the
 * background, as every program that changes its terminal. A second call replaces nothing but sets raw mode again. fd is borrowed
 * and must stay open. */
int term_raw(int fd, struct err *err);

/* We may have been stopped meanwhile: raw mode once more, if it should be on and the terminal is ours now. */
void term_raw_again(void);

/* Is raw mode on? */
bool term_is_raw(void);

/* Back to what it was. Also when raw mode was never on. */
void term_restore(void);

/* Are we in the background of the terminal at fd? Then reading from it would stop us. */
bool term_in_background(int fd);

#endif
