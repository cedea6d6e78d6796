/* SPDX-License-Identifier: Apache-2.0 */
/* What this runtime can do, in the words of the specification. */
#ifndef THOLE_SHIM_FEATURES_H
#define THOLE_SHIM_FEATURES_H

/* Print the JSON of features.md (1.3) to stdout: what the tables that read a config know, whatever this host has of it. Returns the exit
 * status. */
int features_print(void);

#endif
