/* SPDX-License-Identifier: Apache-2.0 */
/* What this host lets thole do, in plain words. */
#ifndef THOLE_SHIM_CHECK_H
#define THOLE_SHIM_CHECK_H

/* Print a line for each ability to stdout: "yes", or "no" and why. `criu`: its absolute path, or NULL, and then `why_no_criu`. Starts criu, and waits for it at most some
 * seconds. Returns the exit status: 1 when no container can be run at all. */
int check_print(const char *criu, const char *why_no_criu);

/* The same of criu alone, as one line: its version number (as 40201 of 4.2.1; 0: it cannot be used), and what it or the kernel lacks, the caller's to free (NULL: nothing). */
int check_criu(const char *criu, const char *why_no_criu, char **ret_lacks);

#endif
