/* SPDX-License-Identifier: Apache-2.0 */
/* The state directory: where a container's record, lock and sockets are, and what the kernel says of it now.
 *
 * ROOT/ID/ holds: state.json, status (the record below), config.json, control.sock, start, lock, shim.log. */
#ifndef THOLE_COMMON_STATEDIR_H
#define THOLE_COMMON_STATEDIR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/proc.h"

#define STATEDIR_DEFAULT_ROOT "/run/thole"
#define STATEDIR_LOG_ROOT "/var/lib/thole" /* $THOLE_LOG_DIR overrides */

#define STATEDIR_STATUS "status"
#define STATEDIR_STATE "state.json"
#define STATEDIR_STATE_FORMAT 1 /* the only one so far */
#define STATEDIR_CONFIG "config.json"
#define STATEDIR_CONFIG_MAX (4 << 20) /* bytes of it, and of the bundle's */
#define STATEDIR_CONTROL "control.sock"
#define STATEDIR_START "start"
#define STATEDIR_LOCK "lock"
#define STATEDIR_KEEPER "keeper"
#define STATEDIR_SHIM_LOG "shim.log"

/* The one control group of all shims, below the root of a hierarchy: nothing is left behind per container. */
#define STATEDIR_SHIMS_GROUP "/thole-shims"

#define STATEDIR_ID_MAX 255 /* bytes, without the NUL; also a file name and a cgroup name */
#define STATEDIR_JSON_MAX (1 << 20)

/* OCI status, with the one that OCI has no word for. Numbers are on disk: never reused. */
enum container_status {
	STATUS_NONE = 0, /* record made, nothing said yet */
	STATUS_CREATING = 1,
	STATUS_CREATED = 2,
	STATUS_RUNNING = 3,
	STATUS_PAUSED = 4,
	STATUS_STOPPED = 5,
	STATUS_CHECKPOINTED = 6, /* it has no processes, but a shim that can bring it back out of its image */
};

/* "creating", "created", ... */
const char *container_status_name(enum container_status s);

#define STATUS_RECORD_SIZE 4096
#define STATUS_RECORD_VERSION 1

/* The `status` file: one block, made at create, changed in place by one pwrite. Strings are NUL-terminated.
 * Host byte order (the directory never leaves the machine). What an older version did not write is zero. */
struct status_record {
	char magic[8]; /* "THOLE\0ST" */
	uint32_t version;
	uint32_t checksum;         /* of the block with this field zero, see below */
	uint32_t status;           /* enum container_status, as last written: statedir_refresh says what is true */
	int32_t init_pid;          /* in the shim's pid namespace; 0: none yet */
	uint64_t init_start_time;  /* field 22 of /proc/PID/stat, clock ticks since boot */
	uint64_t init_pidfd_inode; /* 0 before kernel 6.9 */
	int32_t shim_pid;          /* as last known; liveness is the lock's business */
	uint32_t owner_uid;
	uint64_t created_ns;   /* CLOCK_REALTIME */
	uint64_t exited_ns;    /* CLOCK_REALTIME, 0: not yet */
	uint8_t exit_recorded; /* init has ended and somebody wrote so */
	uint8_t exit_known;    /* 0: the status was not seen by anybody */
	uint8_t exit_signal;   /* 0: it exited by itself */
	uint8_t exit_code;     /* exit status, or 128 + signal */
	uint8_t oom_killed;
	uint8_t terminal;
	uint8_t remove_at_exit;
	uint8_t foreign; /* somebody else is the parent of init: there is no shim but for single commands */
	char boot_id[40];
	char id[STATEDIR_ID_MAX + 1];
	char freezer[480]; /* directory of the container's freezer (v1) or cgroup (v2); empty: none */
	char bundle[1400];
	char rootfs[1400];
	uint8_t groups_made;     /* of one that is `creating`: who is in its control groups is its own */
	char shim_version[32];   /* of the shim that has it, or had it last; empty: it is older than this field */
	uint8_t callers_keyring; /* --no-new-keyring */
	uint8_t unused[6];
	uint64_t quick_sum;   /* see below; of another value: whoever wrote last does not know it */
	uint64_t start_inode; /* of the socket `start`; 0: there is none, or it is older than this field */
	/* How many had been killed in its groups for lack of memory when init was last seen to live on. */
	uint64_t outlived_ooms;
	uint8_t reserved[STATUS_RECORD_SIZE - 72 - 40 - 256 - 480 - 1400 - 1400 - 1 - 32 - 7 - 8 - 8 - 8];
};

/* The checksum: over the block's 64-bit words w, h = (h ^ w) * 0x100000001b3, h ^= h >> 32, from
 * h = 0xcbf29ce484222325 (FNV-1a's numbers, eight bytes at a time); then the low half of h ^ h
 * >> 32. Each step waits for the one before it, which makes it the dearest part of reading a
 * record. So whoever writes one adds the quick sum, with both sums zero: four such h, of every
 * fourth word, which are then taken as four words. One that is right is enough. */

_Static_assert(sizeof(struct status_record) == STATUS_RECORD_SIZE, "the status record is one block");

/* Ids: 1 to 255 of [A-Za-z0-9_+.-], not "." or "..", no leading "-". ERR_USAGE names what is wrong. */
int statedir_check_id(const char *id, struct err *err);

/* Where the root is: `option` (from --root), else /run/thole for root, else $XDG_RUNTIME_DIR/thole. The root of a user namespace uses the latter too when it is set,
 * unless USER is root.
 * Caller frees ret_path, which is absolute. */
int statedir_root_path(const char *option, char **ret_path, struct err *err);

/* Open the root directory. `make`: create it (0700, with its parents) when missing; else ERR_NOT_FOUND.
 * A directory of another owner, or one that group or others can write to, is refused (ERR_PERMISSION). */
int statedir_open_root(const char *path, bool make, int *ret_fd, struct err *err);

/* Open ROOT/ID. ERR_NOT_FOUND: "container 'ID' does not exist". Wrong owner or mode:
 * ERR_PERMISSION. Not an id: ERR_USAGE. */
int statedir_open(int root_fd, const char *id, int *ret_dir_fd, struct err *err);

/* Read and verify the record. ERR_NOT_FOUND if there is none, ERR_PERMISSION if it is another's, ERR_CONFIG if size, magic, version
 * or checksum are wrong, or it is no regular file. ret_rec is untouched on failure. Does not wait, but looks again for
 * some hundred microseconds before it calls a block damaged that a writer may be in the middle
 * of. Strings in ret_rec end in NUL whatever the file holds. */
int statedir_read_status(int dir_fd, struct status_record *ret_rec, struct err *err);

/* The same without opening ROOT/ID first, for `list`. ERR_NOT_FOUND also when there is no such
 * container. Does not look at the directory's owner and mode: the root has been checked, and
 * nothing is done with what is read but to show it. ret_shim: does a shim live? NULL: not asked
 * for. */
int statedir_read_status_of(int root_fd, const char *id, struct status_record *ret_rec, bool *ret_shim,
			    struct err *err);

/* A file of the container's directory, or of the root's by its path, as a string: at most `max` bytes. Of another owner than ours: ERR_PERMISSION. The caller frees ret_text. */
int statedir_read_file(int dir_fd, const char *name, size_t max, char **ret_text, struct err *err);

/* Write the record (magic, version and checksum filled in here) in place; makes the file when
 * missing (0600), whole or not at all: as a second name of the lock file, so that who reads it has
 * the file open whose locks tell whether a shim lives. They may be two files: older versions made
 * them so. */
int statedir_write_status(int dir_fd, struct status_record *rec, struct err *err);

/* What the container is now: the recorded status, corrected by the kernel's facts (boot id, start time, zombie,
 * freezer). Reads /proc and the freezer, changes nothing, does not wait. A `creating` record whose shim is
 * gone stays `creating`. */
enum container_status statedir_refresh(const struct status_record *rec);

/* Does the program of this record run, `created` though it says? Whoever started it may have been killed before that was written down. False for any other record, and for one whose init has
 * ended. Reads /proc. */
bool statedir_has_started(const struct status_record *rec);

/* What is asked for once when many containers are looked at, one after the other: this boot's id, and the group above the freezer that was
 * read last, where most of the others are too. Not for several threads at once. Starts with statedir_view_init(). */
struct statedir_view {
	char boot_id[PROC_BOOT_ID_SIZE]; /* empty: /proc does not tell, and by it nobody has ended */
	char above[480];                 /* directory of above_fd */
	int above_fd;
};

void statedir_view_init(struct statedir_view *v);
void statedir_view_release(struct statedir_view *v);
#define cleanup_statedir_view __attribute__((cleanup(statedir_view_release)))

/* statedir_refresh() and statedir_ended_by_reboot() for who asks about many. `shim`: one lives, and has it written down when init ends: then /proc and pidfds are not asked, whose answer would be
 * ahead of the record by the moment that the shim takes for that. */
enum container_status statedir_view_refresh(struct statedir_view *v, const struct status_record *rec, bool shim);
bool statedir_view_reboot(const struct statedir_view *v, const struct status_record *rec);

/* Has the machine been started again since, and did nobody see it end before? */
bool statedir_ended_by_reboot(const struct status_record *rec);

/* Is the init of this record alive (not a zombie, same start time, same boot)? What cannot be looked at counts as alive: nothing is removed for that. */
bool statedir_init_alive(const struct status_record *rec);

/* ret_pidfd: of the init of this record; -1 when it lives no more, or is another process by now. One that cannot be opened for another reason (no descriptor left, a filter that denies pidfds) has not
 * ended, and is an error: whoever took it for an end would remove what still runs. */
int statedir_open_init(const struct status_record *rec, int *ret_pidfd, struct err *err);

/* Locks on ROOT/ID/lock (OFD). Byte 0: a shim lives. Byte 1: state.json is being changed. */
enum statedir_lock { STATEDIR_LOCK_SHIM = 0, STATEDIR_LOCK_STATE = 1 };

/* Open the lock file; `make` creates it (0600). */
int statedir_open_lock(int dir_fd, bool make, int *ret_fd, struct err *err);

/* Take byte `which` for writing. ERR_BUSY when somebody has it; `wait`: and keeps it for more than 5 s. After success the open file is known to
 * be the one that the path names (else ERR_NOT_FOUND: the directory was removed meanwhile). */
int statedir_lock(int dir_fd, int lock_fd, enum statedir_lock which, bool wait, struct err *err);
int statedir_unlock(int lock_fd, enum statedir_lock which, struct err *err);

/* Does somebody hold byte `which`? Probes with F_OFD_GETLK, never takes it. ret_pid is not available for OFD locks. */
bool statedir_is_locked(int lock_fd, enum statedir_lock which);

/* Does a shim live? It has the lock file locked, or the status record, where another file has been put in the place of the lock file since (statedir_write_status()). */
bool statedir_shim_lives(int dir_fd);

/* Is the status record another file than `lock_fd`, the lock file, and does a shim have that one? */
bool statedir_is_locked_elsewhere(int dir_fd, int lock_fd);

/* Connect to ROOT/ID/NAME (control.sock or start), SOCK_SEQPACKET, close-on-exec, whatever the path's length. inode: which socket that has to be, so that nothing is said to another; 0: any.
 * ECONNREFUSED and ENOENT come as ERR_GONE (nobody listens); ERR_PERMISSION: it is another socket. Waits while too many others do for who listens: ERR_STATE after ten seconds. */
int statedir_connect(int dir_fd, const char *name, uint64_t inode, int *ret_fd, struct err *err);

/* The inode of ROOT/ID/NAME itself (a link is not followed); 0: there is none. */
uint64_t statedir_inode(int dir_fd, const char *name);

/* Make the listening socket ROOT/ID/NAME (0600), SOCK_SEQPACKET, close-on-exec, non-blocking. An
 * old one is replaced. */
int statedir_listen(int dir_fd, const char *name, int backlog, int *ret_fd, struct err *err);

/* Remove every file in `dir_fd` (one level, no directories expected below), the status record and
 * then the lock last, and ROOT/ID if it is still that directory: another of the same id, made since
 * somebody else has removed this one, stays as it is. Missing is success. */
int statedir_remove(int root_fd, int dir_fd, const char *id, struct err *err);

#endif
