/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes of the streams are where in a log's files: for clients that read there what they have missed.
 *
 * A stretch is a part of one file in which nothing but whole records of the streams follow each other, none missing: who counts the bytes in the records from its
 * beginning on finds every other. A stretch ends where the log loses something, with the file, and where somebody else has changed it. Only the last
 * LOGMAP_MAX are known. Nothing is read here. */
#ifndef THOLE_SHIM_STDIO_LOGMAP_H
#define THOLE_SHIM_STDIO_LOGMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOGMAP_MAX 64

/* A place in the log: a position in the present file, and how much of stdout and stderr stands before it, in this file or others, or is lost. */
struct logmap_place {
	uint64_t position;
	uint64_t offset[2];
};

struct logmap_stretch {
	uint64_t id; /* never 0, never used again */
	dev_t dev;
	uint64_t inode;
	unsigned int rotation; /* how many rotations came before this file */
	int fd;                /* of a file that somebody else has moved, owned; else -1 */
	struct logmap_place start, end;
};

/* Begins as zeroes; logmap_release() accepts that. */
struct logmap {
	struct logmap_stretch v[LOGMAP_MAX]; /* oldest first */
	size_t n;
	bool open; /* the last one still grows: its end is where the log is now */
	uint64_t last_id;
	unsigned int rotation;
	unsigned int wanted; /* how many want what is moved aside to stay within reach */
};

void logmap_release(struct logmap *m);

/* From here on the log goes on in this file: what was open ended before. */
void logmap_begin(struct logmap *m, dev_t dev, uint64_t inode, const struct logmap_place *at);
void logmap_end(struct logmap *m, const struct logmap_place *at);

/* The file has been renamed by a rotation, after which no more than `max_files` are there, the new one included. Nothing is open. */
void logmap_rotated(struct logmap *m, unsigned int max_files);

/* Its name is another file's now, or nobody's; fd is borrowed. Nothing is open. */
void logmap_moved(struct logmap *m, dev_t dev, uint64_t inode, int fd);

/* What it said is gone. Nothing is open. */
void logmap_emptied(struct logmap *m, dev_t dev, uint64_t inode);

/* Somebody may ask for what is in the log now: from then on also files that others move stay within reach, until nobody wants it. */
void logmap_want(struct logmap *m);
void logmap_unwant(struct logmap *m);

/* The first stretch, with its end (`now`, if it is open), that has bytes of stream `i` (0 stdout, 1 stderr) from offset `from` on. False: none. */
bool logmap_find(const struct logmap *m, int i, uint64_t from, const struct logmap_place *now,
		 struct logmap_stretch *ret);

#endif
