/* SPDX-License-Identifier: Apache-2.0 */
/* What every command of the client is given: how it was called and where the state is. */
#ifndef THOLE_CLIENT_CLIENT_H
#define THOLE_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/json.h"
#include "common/err.h"

struct status_record;

/* Newest version of the OCI runtime specification that thole knows. */
#define CLIENT_OCI_VERSION "1.3.0"

/* So many of the caller's descriptors, from 3 on, can be passed on: what comes along beside them has a place in the packet too. */
#define CLIENT_PRESERVED_MAX 240

struct global_options {
	const char *root;
	const char *log;
	const char *log_format;     /* "text", "json" or NULL */
	const char *cgroup_manager; /* cgroupfs, systemd, disabled, or NULL */
	bool systemd_cgroup;        /* --systemd-cgroup: runc's word for the second */
	const char *criu;           /* --criu, or NULL */
	const char *rootless;       /* what runc takes there, or NULL */
	bool debug;
	bool version;
};

struct client {
	const char *program; /* "thole" or "thole-oci" */
	bool oci;            /* called as thole-oci: runc's habits and exit statuses */
	struct global_options global;
	char *root_path; /* absolute; NULL: nobody has said where, and client_open_root() says so */
	bool inherited_fd[CLIENT_PRESERVED_MAX]; /* descriptor 3 + n was open when the program started */
	bool stdin_open;                         /* descriptor 0 was open when the program started */
	bool stdout_open;                        /* and 1; when it was not, what is written to it fails */
	bool line_is_right;                      /* the command's options and operands have been understood */
};

/* Open the directory of all state directories. `make`: create it when missing, else ERR_NOT_FOUND. ERR_USAGE when nobody has said where it is. */
int client_open_root(const struct client *cl, bool make, int *ret_fd, struct err *err);

/* Check `id` and open its state directory. ERR_NOT_FOUND "container 'ID' does not exist" also when not even the root is there.
 * ret_root_fd may be NULL. */
int client_open_container(const struct client *cl, const char *id, int *ret_root_fd, int *ret_dir_fd, struct err *err);

/* The same with its status record. On failure nothing is open; one without a record, which is being made or removed, is ERR_NOT_FOUND. */
int client_read_container(const struct client *cl, const char *id, int *ret_dir_fd, struct status_record *ret_rec,
			  struct err *err);

/* Its state.json, the caller's to put: ERR_CONFIG when it is damaged, missing or another container's, ERR_UNSUPPORTED when it is of a newer version; ENOENT as long as the container is being
 * created. */
int client_read_state(const char *id, int dir_fd, json_object **ret, struct err *err);

/* Where log and quick-run bundle of `id` are: $THOLE_LOG_DIR/ID, else /var/lib/thole/ID, rootless $XDG_STATE_HOME/thole/ID. Absolute;
 * caller frees. */
int client_data_dir(const char *id, char **ret_path, struct err *err);

/* Say what went wrong, once: one line on stderr; with --log also in that file; with --log-format json and no --log the line on stderr
 * is JSON. */
void client_report(const struct client *cl, const struct err *err);

/* A remark that is no failure: "thole: TEXT" on stderr and in the log file. */
void client_remark(const struct client *cl, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
