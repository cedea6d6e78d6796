/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper: a tiny process of its own (thole-keeper) that holds what a container's shim must not lose with its life, and starts another shim then.
 *
 * What they say to each other over a SOCK_SEQPACKET socketpair is below; a descriptor rides beside KEEPER_HOLD. The keeper listens on ROOT/ID/keeper, too: who connects there is the
 * new shim, is sent a KEEPER_HOLD for each thing held and KEEPER_ALL after them, and takes the place of the old one. */
#ifndef THOLE_SHIM_STDIO_KEEPER_H
#define THOLE_SHIM_STDIO_KEEPER_H

#include <stdint.h>

/* Descriptors that the keeper is executed with, in this order from 3 on; its arguments are ROOT, ID and ROOT/ID/keeper. */
enum keeper_fd {
	KEEPER_FD_SHIM = 3,
	KEEPER_FD_LISTEN = 4,
	KEEPER_FD_SHIM_EXE = 5,
	KEEPER_FD_OWN_EXE = 6,
	KEEPER_FD_FREE = 7
};

enum keeper_slot { KEEPER_STDIN, KEEPER_STDOUT, KEEPER_STDERR, KEEPER_INIT, KEEPER_SLOTS };

/* And from here on the masters of exec'd processes' terminals: the number that a process has as its name is added. What is more than so many in all is not held. */
#define KEEPER_TERMINAL 16u
#define KEEPER_HELD_MAX 64

enum keeper_word {
	KEEPER_HOLD =
		1, /* this descriptor, in the place of what is in the slot: stdin's write end or the pty's master, the outputs' read ends, init's pidfd */
	KEEPER_CLOSE = 2, /* what is in the slot */
	KEEPER_ARM = 3,   /* from now on the shim's death is answered by another one; before, by leaving */
	KEEPER_END = 4,   /* all is over: leave */
	KEEPER_ALL = 5,   /* from the keeper: no more is held */
};

struct keeper_message {
	uint32_t word;
	uint32_t slot;
};

#endif
