/* SPDX-License-Identifier: Apache-2.0 */
/* The state directory: where a container's record, lock and sockets are, and what the kernel says of it now. */
#include "common/statedir.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "common/fd.h"
#include "common/path.h"
#include "common/proc.h"

static const char status_magic[8] = { 'T', 'H', 'O', 'L', 'E', 0, 'S', 'T' };

static const char *const status_names[] = {
	[STATUS_NONE] = "unknown",
	[STATUS_CREATING] = "creating",
	[STATUS_CREATED] = "created",
	[STATUS_RUNNING] = "running",
	[STATUS_PAUSED] = "paused",
	[STATUS_STOPPED] = "stopped",
	[STATUS_CHECKPOINTED] = "checkpointed",
};

const char *container_status_name(enum container_status s)
{
	return (size_t)s < ARRAY_SIZE(status_names) ? status_names[s] : status_names[STATUS_NONE];
}

static bool is_id_char(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '_' ||
	       ch == '+' || ch == '.' || ch == '-';
}

int statedir_check_id(const char *id, struct err *err)
{
	size_t n = 0;

	while (is_id_char(id[n]))
		n++;
	if (id[0] == '\0')
		return err_set(err, ERR_USAGE, "container id cannot be empty");
	if (strlen(id + n) + n > STATEDIR_ID_MAX)
		return err_set(err, ERR_USAGE, "container id is longer than %d bytes", STATEDIR_ID_MAX);
	if (id[n])
		return err_set(err, ERR_USAGE, "invalid container id '%s': only letters, digits and _+.- are allowed",
			       id);
	if (id[0] == '-')
		return err_set(err, ERR_USAGE, "invalid container id '%s': it starts with '-'", id);
	if (!strcmp(id, ".") || !strcmp(id, ".."))
		return err_set(err, ERR_USAGE, "invalid container id '%s': it is a directory's name", id);
	return 0;
}

/* As runc has it: for root it is the host's directory, also when the session has one (/run/user/0); for the root of a user namespace, who is an ordinary user outside,
 * that is not his, unless he says that he is root (USER). */
static bool is_root_here(const char *runtime)
{
	const char *user = getenv("USER");

	if (geteuid() != 0)
		return false;
	return !runtime || !runtime[0] || !proc_in_user_ns() || (user && !strcmp(user, "root"));
}

int statedir_root_path(const char *option, char **ret_path, struct err *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (option && option[0])
		return path_absolute(option, ret_path, err);
	if (is_root_here(runtime)) {
		*ret_path = xstrdup(STATEDIR_DEFAULT_ROOT);
		return 0;
	}
	if (!runtime || runtime[0] != '/')
		return err_set(err, ERR_USAGE, "XDG_RUNTIME_DIR is not set: say with --root where the state is");
	*ret_path = path_join(runtime, "thole");
	return 0;
}

/* A directory that is ours alone: whoever can write to it can replace the sockets and records in it. */
static int check_directory(int fd, const char *what, mode_t forbidden, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at '%s'", what);
	if (!S_ISDIR(st.st_mode))
		return err_sysno(err, ENOTDIR, "cannot use '%s'", what);
	if (st.st_uid != geteuid())
		return err_set(err, ERR_PERMISSION, "state directory '%s' belongs to uid %u, not to uid %u", what,
			       st.st_uid, geteuid());
	if (st.st_mode & forbidden)
		return err_set(err, ERR_PERMISSION, "state directory '%s' has mode %04o: open to others", what,
			       st.st_mode & 07777);
	return 0;
}

static int check_owner(int fd, const char *name, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at '%s'", name);
	if (st.st_uid != geteuid())
		return err_set(err, ERR_PERMISSION, "'%s' belongs to uid %u, not to uid %u", name, st.st_uid,
			       geteuid());
	return 0;
}

int statedir_read_file(int dir_fd, const char *name, size_t max, char **ret_text, struct err *err)
{
	/* A FIFO that somebody has put there would be waited for. */
	cleanup_fd int fd = openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "cannot open '%s'", name);
	if (check_owner(fd, name, err) < 0)
		return -1;
	if (fd_read_all(fd, max, ret_text, NULL, err) < 0)
		return err_add(err, "'%s'", name);
	return 0;
}

int statedir_open_root(const char *path, bool make, int *ret_fd, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && make) {
		cleanup_free char *parent = path_join(path, "..");

		if (path_mkdir_all(parent, 0755, err) < 0)
			return -1;
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return err_sys(err, "cannot make state directory '%s'", path);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "state directory '%s' does not exist", path);
	if (fd < 0)
		return err_sys(err, "cannot open state directory '%s'", path);
	if (check_directory(fd, path, 022, err) < 0)
		return -1;
	*ret_fd = take_fd(&fd);
	return 0;
}

int statedir_open(int root_fd, const char *id, int *ret_dir_fd, struct err *err)
{
	cleanup_fd int fd = -1;

	/* An id with a slash would lead out of the root. */
	if (statedir_check_id(id, err) < 0)
		return -1;
	fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "container '%s' does not exist", id);
	if (fd < 0)
		return err_sys(err, "cannot open the state directory of container '%s'", id);
	if (check_directory(fd, id, 077, err) < 0)
		return -1;
	*ret_dir_fd = take_fd(&fd);
	return 0;
}

#define SUM_START 0xcbf29ce484222325ull
#define SUM_AT offsetof(struct status_record, checksum)
#define QUICK_SUM_AT offsetof(struct status_record, quick_sum)

static uint64_t sum_step(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x100000001b3ull;
	return h ^ h >> 32;
}

/* A block as what the sums are of. */
union block {
	struct status_record rec;
	uint64_t words[STATUS_RECORD_SIZE / sizeof(uint64_t)];
};

/* Finds torn and damaged blocks, as the quick one does. Not against an attacker, who could write the checksum as well:
 * the directory is ours alone. */
static uint32_t checksum(const struct status_record *rec)
{
	union block b = { .rec = *rec };
	uint64_t h = SUM_START;

	b.rec.checksum = 0;
	for (size_t i = 0; i < ARRAY_SIZE(b.words); i++)
		h = sum_step(h, b.words[i]);
	return (uint32_t)(h ^ (h >> 32));
}

/* Word after word where they are: this is much of what a list of many containers does. */
static uint64_t quick_sum(const struct status_record *rec)
{
	uint64_t a = SUM_START, b = SUM_START, c = SUM_START, d = SUM_START, w[4];
	const char *at = (const char *)rec;

	for (size_t i = 0; i < sizeof(*rec); i += sizeof(w)) {
		memcpy(w, at + i, sizeof(w));
		if (i == SUM_AT / sizeof(w) * sizeof(w))
			memset((char *)w + SUM_AT % sizeof(w), 0, sizeof(rec->checksum));
		if (i == QUICK_SUM_AT / sizeof(w) * sizeof(w))
			w[QUICK_SUM_AT / sizeof(w[0]) % ARRAY_SIZE(w)] = 0;
		a = sum_step(a, w[0]);
		b = sum_step(b, w[1]);
		c = sum_step(c, w[2]);
		d = sum_step(d, w[3]);
	}
	return sum_step(sum_step(sum_step(sum_step(SUM_START, a), b), c), d);
}

/* One look at the file. Returns 1 for a record in order, 0 (err filled) for one that may just be
 * half written, -1 for one that waiting does not mend. */
static int read_once(int fd, struct status_record *rec, struct err *err)
{
	size_t have = 0;
	ssize_t n;

	do {
		n = pread(fd, (char *)rec + have, sizeof(*rec) - have, (off_t)have);
		have += n > 0 ? (size_t)n : 0;
	} while ((n < 0 && errno == EINTR) || (n > 0 && have < sizeof(*rec)));
	if (n < 0 && errno == ESPIPE)
		return err_set(err, ERR_CONFIG, "the status record is no regular file");
	if (n < 0)
		return err_sys(err, "cannot read the status record");
	if (have != sizeof(*rec))
		return err_set(err, ERR_CONFIG, "the status record has %zu bytes instead of %zu", have, sizeof(*rec));
	if (memcmp(rec->magic, status_magic, sizeof(rec->magic)) != 0)
		return err_set(err, ERR_CONFIG, "the status record is not one of thole's");
	if (rec->version != STATUS_RECORD_VERSION)
		return err_set(err, ERR_CONFIG, "the status record has version %u, this program knows %d", rec->version,
			       STATUS_RECORD_VERSION);
	if (rec->quick_sum == quick_sum(rec) || rec->checksum == checksum(rec))
		return 1;
	err_set(err, ERR_CONFIG, "the status record is damaged: its checksum is wrong");
	return 0;
}

/* A writer that is interrupted in the middle of its copy needs the processor back, and perhaps a
 * time slice for that. */
#define READ_TRIES 2000
#define READ_TRIES_AT_ONCE 4

static int read_record(int fd, struct status_record *ret_rec, struct err *err)
{
	struct status_record rec;
	struct err last;
	int r = 0;

	/* Neither ext4 nor tmpfs keeps a read apart from a write: a block may be seen half new. */
	for (int i = 0; r == 0 && i < READ_TRIES; i++) {
		if (i >= READ_TRIES_AT_ONCE)
			sched_yield();
		r = read_once(fd, &rec, &last);
	}
	if (r <= 0) {
		*err = last;
		return -1;
	}
	rec.id[sizeof(rec.id) - 1] = '\0';
	rec.boot_id[sizeof(rec.boot_id) - 1] = '\0';
	rec.freezer[sizeof(rec.freezer) - 1] = '\0';
	rec.bundle[sizeof(rec.bundle) - 1] = '\0';
	rec.rootfs[sizeof(rec.rootfs) - 1] = '\0';
	rec.shim_version[sizeof(rec.shim_version) - 1] = '\0';
	*ret_rec = rec;
	return 0;
}

/* A FIFO in the place of the record, or of the lock file, would be waited for. */
#define RECORD_FLAGS (O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)

int statedir_read_status(int dir_fd, struct status_record *ret_rec, struct err *err)
{
	cleanup_fd int fd = openat(dir_fd, STATEDIR_STATUS, O_RDONLY | RECORD_FLAGS);

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "there is no status record");
	if (fd < 0)
		return err_sys(err, "cannot open the status record");
	return check_owner(fd, STATEDIR_STATUS, err) < 0 ? -1 : read_record(fd, ret_rec, err);
}

#define IN_DIRECTORY_MAX (STATEDIR_ID_MAX + sizeof("/" STATEDIR_STATUS))

/* ID/NAME, of an id that was checked. */
static const char *in_directory(const char *id, const char *name, char ret[IN_DIRECTORY_MAX])
{
	size_t n = strlen(id);

	memcpy(ret, id, n);
	ret[n] = '/';
	memcpy(ret + n + 1, name, strlen(name) + 1);
	return ret;
}

static bool is_locked_at(int at_fd, const char *path)
{
	cleanup_fd int fd = openat(at_fd, path, O_RDONLY | RECORD_FLAGS);

	return fd >= 0 && statedir_is_locked(fd, STATEDIR_LOCK_SHIM);
}

/* `fd`: the container's status record, which mostly is its lock file as well. */
static bool is_shim_alive(int root_fd, const char *id, int fd)
{
	char path[IN_DIRECTORY_MAX];

	return statedir_is_locked(fd, STATEDIR_LOCK_SHIM) ||
	       is_locked_at(root_fd, in_directory(id, STATEDIR_LOCK, path));
}

bool statedir_shim_lives(int dir_fd)
{
	return is_locked_at(dir_fd, STATEDIR_LOCK) || is_locked_at(dir_fd, STATEDIR_STATUS);
}

bool statedir_is_locked_elsewhere(int dir_fd, int lock_fd)
{
	cleanup_fd int fd = openat(dir_fd, STATEDIR_STATUS, O_RDONLY | RECORD_FLAGS);
	struct stat a, b;

	return fd >= 0 && fstat(fd, &a) == 0 && fstat(lock_fd, &b) == 0 &&
	       (a.st_ino != b.st_ino || a.st_dev != b.st_dev) && statedir_is_locked(fd, STATEDIR_LOCK_SHIM);
}

int statedir_read_status_of(int root_fd, const char *id, struct status_record *ret_rec, bool *ret_shim, struct err *err)
{
	char path[IN_DIRECTORY_MAX];
	cleanup_fd int fd = -1;

	if (statedir_check_id(id, err) < 0)
		return -1;
	fd = openat(root_fd, in_directory(id, STATEDIR_STATUS, path), O_RDONLY | RECORD_FLAGS);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(err, ERR_NOT_FOUND, "container '%s' does not exist", id);
	if (fd < 0)
		return err_sys(err, "cannot open the status record of container '%s'", id);
	if (read_record(fd, ret_rec, err) < 0)
		return err_add(err, "container '%s'", id);
	if (ret_shim)
		*ret_shim = is_shim_alive(root_fd, id, fd);
	return 0;
}

static int write_record(int fd, const struct status_record *rec, struct err *err)
{
	struct rlimit most;
	size_t done = 0;
	ssize_t n;

	/* A write that the limit cuts off would leave a record of nobody. */
	if (getrlimit(RLIMIT_FSIZE, &most) == 0 && most.rlim_cur < sizeof(*rec))
		return err_sysno(err, EFBIG, "cannot write the status record");
	/* Its blocks are there already: a part of it is no full disk. Until all of it is there its checksum is wrong. */
	do {
		n = pwrite(fd, (const char *)rec + done, sizeof(*rec) - done, (off_t)done);
		done += n > 0 ? (size_t)n : 0;
	} while ((n < 0 && errno == EINTR) || (n > 0 && done < sizeof(*rec)));
	if (n < 0)
		return err_sys(err, "cannot write the status record");
	if (done != sizeof(*rec))
		return err_sysno(err, ENOSPC, "cannot write the status record");
	return 0;
}

/* The first one appears whole: a reader would take an empty file for a damaged one. */
static int make_record(int dir_fd, const struct status_record *rec, struct err *err)
{
	cleanup_fd int fd = openat(dir_fd, STATEDIR_LOCK, O_WRONLY | RECORD_FLAGS);

	if (fd >= 0 && write_record(fd, rec, err) < 0)
		return -1;
	if (fd >= 0 && linkat(dir_fd, STATEDIR_LOCK, dir_fd, STATEDIR_STATUS, 0) == 0)
		return 0;
	return fd_replace_file_at(dir_fd, STATEDIR_STATUS, rec, sizeof(*rec), 0600, err);
}

int statedir_write_status(int dir_fd, struct status_record *rec, struct err *err)
{
	cleanup_fd int fd = -1;

	memcpy(rec->magic, status_magic, sizeof(rec->magic));
	rec->version = STATUS_RECORD_VERSION;
	rec->quick_sum = quick_sum(rec);
	rec->checksum = checksum(rec);
	fd = openat(dir_fd, STATEDIR_STATUS, O_WRONLY | RECORD_FLAGS);
	if (fd < 0 && errno == ENOENT)
		return make_record(dir_fd, rec, err);
	if (fd < 0)
		return err_sys(err, "cannot open the status record");
	return write_record(fd, rec, err);
}

static bool other_inode(int fd, uint64_t inode)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_ino != inode;
}

/* boot_id: empty when /proc does not tell. */
static bool other_boot(const struct status_record *rec, const char *boot_id)
{
	return boot_id[0] && strcmp(boot_id, rec->boot_id) != 0;
}

static bool init_alive_booted(const struct status_record *rec, const char *boot_id)
{
	cleanup_fd int pidfd = -1;
	struct proc_stat st;
	struct err err = { 0 };

	if (rec->init_pid <= 0 || rec->exit_recorded || other_boot(rec, boot_id))
		return false;
	/* The kernel takes its time to write /proc/PID/stat; a pidfd is quick, and readable once the last thread has ended. */
	if (rec->init_pidfd_inode && proc_pidfd_open(rec->init_pid, 0, &pidfd, &err) == 0)
		return !other_inode(pidfd, rec->init_pidfd_inode) &&
		       poll(&(struct pollfd) { .fd = pidfd, .events = POLLIN }, 1, 0) <= 0; /* not asked is not ended */
	if (err.code == ERR_NOT_FOUND)
		return false;
	/* What cannot be looked at has not ended for that: it would be removed while it runs. */
	if (proc_stat(rec->init_pid, &st, &err) < 0)
		return err.code != ERR_NOT_FOUND;
	return st.start_time == rec->init_start_time && proc_stat_alive(&st);
}

bool statedir_init_alive(const struct status_record *rec)
{
	char boot_id[PROC_BOOT_ID_SIZE];
	struct err ignored;

	if (proc_boot_id(boot_id, &ignored) < 0)
		boot_id[0] = '\0';
	return init_alive_booted(rec, boot_id);
}

int statedir_open_init(const struct status_record *rec, int *ret_pidfd, struct err *err)
{
	cleanup_fd int pidfd = -1;

	*ret_pidfd = -1;
	if (!statedir_init_alive(rec))
		return 0;
	if (proc_pidfd_open(rec->init_pid, rec->init_start_time, &pidfd, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	if (!rec->init_pidfd_inode || !other_inode(pidfd, rec->init_pidfd_inode))
		*ret_pidfd = take_fd(&pidfd);
	return 0;
}

void statedir_view_init(struct statedir_view *v)
{
	struct err ignored;

	*v = (struct statedir_view) { .above_fd = -1 };
	if (proc_boot_id(v->boot_id, &ignored) < 0)
		v->boot_id[0] = '\0';
}

void statedir_view_release(struct statedir_view *v)
{
	fd_close(&v->above_fd);
}

/* One that was away when the machine went down has no init in its record. */
bool statedir_view_reboot(const struct statedir_view *v, const struct status_record *rec)
{
	bool was_made = rec->init_pid > 0 || (rec->status != STATUS_NONE && rec->status != STATUS_CREATING);

	return was_made && !rec->exit_known && rec->boot_id[0] && v->boot_id[0] &&
	       strcmp(v->boot_id, rec->boot_id) != 0;
}

bool statedir_ended_by_reboot(const struct status_record *rec)
{
	cleanup_statedir_view struct statedir_view v;

	statedir_view_init(&v);
	return statedir_view_reboot(&v, rec);
}

/* What a frozen group's file says, by the name that says it. */
static const struct {
	const char *name, *frozen;
} freezer_files[] = {
	{ "freezer.state", "FROZEN" },   /* v1 */
	{ "cgroup.events", "frozen 1" }, /* v2 */
};

/* The last component of `dir`, whose parent is v->above_fd then; all of it where that cannot be. */
static const char *look_above(struct statedir_view *v, const char *dir)
{
	const char *slash = strrchr(dir, '/');
	size_t n = slash ? (size_t)(slash - dir) : 0;

	if (n == 0 || n >= sizeof(v->above))
		return dir;
	if (v->above_fd < 0 || strncmp(v->above, dir, n) != 0 || v->above[n]) {
		fd_close(&v->above_fd);
		memcpy(v->above, dir, n);
		v->above[n] = '\0';
		v->above_fd = open(v->above, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return v->above_fd < 0 ? dir : slash + 1;
}

static bool is_frozen(struct statedir_view *v, const char *dir)
{
	/* Which one is there is guessed, so that the usual case is one open(2); the guess may be wrong. */
	size_t first = strstr(dir, "/freezer") ? 0 : 1;
	const char *name = dir[0] ? look_above(v, dir) : dir;

	for (size_t i = 0; dir[0] && i < ARRAY_SIZE(freezer_files); i++) {
		size_t row = (first + i) % ARRAY_SIZE(freezer_files);
		char path[sizeof(((struct status_record *)NULL)->freezer) + 32], text[256];
		cleanup_fd int fd = -1;
		ssize_t n;

		stpcpy(stpcpy(stpcpy(path, name), "/"), freezer_files[row].name);
		fd = openat(v->above_fd, path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = read(fd, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		return strstr(text, freezer_files[row].frozen) != NULL;
	}
	return false;
}

/* Until its program is executed init is a clone of its shim. */
bool statedir_has_started(const struct status_record *rec)
{
	struct proc_stat st;
	struct err ignored;

	return rec->status == STATUS_CREATED && !rec->exit_recorded && proc_stat(rec->init_pid, &st, &ignored) == 0 &&
	       st.start_time == rec->init_start_time && proc_stat_alive(&st) && proc_stat_executed(&st);
}

enum container_status statedir_view_refresh(struct statedir_view *v, const struct status_record *rec, bool shim)
{
	enum container_status s = (enum container_status)rec->status;

	switch (s) {
	case STATUS_NONE:
	case STATUS_CREATING:
	case STATUS_STOPPED:
		return s;
	case STATUS_CHECKPOINTED:
		return other_boot(rec, v->boot_id) ? STATUS_STOPPED : s;
	case STATUS_CREATED:
	case STATUS_RUNNING:
	case STATUS_PAUSED:
		break;
	}
	if (shim ? rec->exit_recorded : !init_alive_booted(rec, v->boot_id))
		return STATUS_STOPPED;
	if (is_frozen(v, rec->freezer))
		return STATUS_PAUSED;
	if (s == STATUS_CREATED && (shim || !statedir_has_started(rec)))
		return STATUS_CREATED;
	return STATUS_RUNNING;
}

enum container_status statedir_refresh(const struct status_record *rec)
{
	cleanup_statedir_view struct statedir_view v;

	statedir_view_init(&v);
	return statedir_view_refresh(&v, rec, false);
}

int statedir_open_lock(int dir_fd, bool make, int *ret_fd, struct err *err)
{
	int fd = openat(dir_fd, STATEDIR_LOCK, O_RDWR | RECORD_FLAGS | (make ? O_CREAT : 0), 0600);

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "there is no lock file");
	if (fd < 0)
		return err_sys(err, "cannot open the lock file");
	*ret_fd = fd;
	return 0;
}

#define LOCK_WAIT_MS 5000
#define LOCK_PAUSE_MAX_NS 20000000

static struct flock lock_byte(enum statedir_lock which, short type)
{
	return (struct flock) { .l_type = type, .l_whence = SEEK_SET, .l_start = which, .l_len = 1 };
}

/* Those of ours who hold it do so for a moment. */
static int take_lock(int lock_fd, struct flock *fl, bool wait)
{
	struct timespec pause = { .tv_nsec = 200000 };
	int r;

	for (int waited_ms = 0;; waited_ms += (int)(pause.tv_nsec / 1000000)) {
		r = fcntl(lock_fd, F_OFD_SETLK, fl);
		if (r == 0 || !wait || (errno != EAGAIN && errno != EACCES) || waited_ms > LOCK_WAIT_MS)
			return r;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < LOCK_PAUSE_MAX_NS)
			pause.tv_nsec *= 2;
	}
}

int statedir_lock(int dir_fd, int lock_fd, enum statedir_lock which, bool wait, struct err *err)
{
	struct flock fl = lock_byte(which, F_WRLCK);
	struct stat a, b;
	int r = take_lock(lock_fd, &fl, wait);

	if (r < 0 && (errno == EAGAIN || errno == EACCES))
		return err_set(err, ERR_BUSY, "somebody else holds the lock");
	if (r < 0)
		return err_sys(err, "cannot lock");
	/* Ids are reused: the file that we have locked may belong to a directory that is gone. */
	if (fstat(lock_fd, &a) < 0 || fstatat(dir_fd, STATEDIR_LOCK, &b, AT_SYMLINK_NOFOLLOW) < 0 ||
	    a.st_ino != b.st_ino || a.st_dev != b.st_dev || a.st_nlink == 0) {
		struct err ignored;

		statedir_unlock(lock_fd, which, &ignored);
		return err_set(err, ERR_NOT_FOUND, "the container was removed meanwhile");
	}
	return 0;
}

int statedir_unlock(int lock_fd, enum statedir_lock which, struct err *err)
{
	struct flock fl = lock_byte(which, F_UNLCK);

	if (fcntl(lock_fd, F_OFD_SETLK, &fl) < 0)
		return err_sys(err, "cannot unlock");
	return 0;
}

bool statedir_is_locked(int lock_fd, enum statedir_lock which)
{
	struct flock fl = lock_byte(which, F_WRLCK);

	return fcntl(lock_fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}

uint64_t statedir_inode(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

/* What goes last, and in this order: until then the container is listed, can be deleted again by
 * whoever comes after a remover that was killed or has failed, and is locked by a shim that can be reached. */
static const char *const removed_last[] = { STATEDIR_STATUS, STATEDIR_CONTROL, STATEDIR_LOCK };

static bool is_removed_last(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(removed_last); i++)
		if (!strcmp(name, removed_last[i]))
			return true;
	return false;
}

static int remove_file(int dir_fd, const char *id, const char *name, struct err *err)
{
	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return err_sys(err, "cannot remove '%s/%s'", id, name);
	return 0;
}

static int remove_files(int dir_fd, const char *id, struct err *err)
{
	cleanup_dir DIR *dir = fd_list(dir_fd);
	const char *name;

	if (!dir)
		return err_sys(err, "cannot read the state directory of '%s'", id);
	while ((name = fd_list_next(dir)))
		if (!is_removed_last(name) && remove_file(dir_fd, id, name, err) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(removed_last); i++)
		if (remove_file(dir_fd, id, removed_last[i], err) < 0)
			return -1;
	return 0;
}

/* Is ROOT/ID still that directory? 0: it is gone, or another. -1: nobody can say. */
static int names_directory(int root_fd, const char *id, int dir_fd)
{
	struct stat a, b;

	if (fstat(dir_fd, &a) < 0)
		return -1;
	if (fstatat(root_fd, id, &b, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	return a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* Whoever has just found the directory without a lock makes one, to undo what a killed create has left. */
#define REMOVE_TRIES 10

int statedir_remove(int root_fd, int dir_fd, const char *id, struct err *err)
{
	for (int i = 0; i < REMOVE_TRIES; i++) {
		int there;

		if (remove_files(dir_fd, id, err) < 0)
			return -1;
		/* Only an empty one can be hit between the look and the removal, and its maker tries again (create.c). */
		there = names_directory(root_fd, id, dir_fd);
		if (there == 0 || (there > 0 && unlinkat(root_fd, id, AT_REMOVEDIR) == 0) || errno == ENOENT)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST)
			break;
	}
	return err_sys(err, "cannot remove the state directory of '%s'", id);
}
