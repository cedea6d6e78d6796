/* SPDX-License-Identifier: Apache-2.0 */
/* Words of the specification that stand for one number of the kernel's, and the readers that turn them into it. */
#ifndef THOLE_SHIM_OCI_WORDS_H
#define THOLE_SHIM_OCI_WORDS_H

#include "shim/oci/field.h"

/* Ends with a NULL name. */
struct oci_word {
	const char *name;
	uint64_t value;
};

extern const struct oci_word oci_sched_policies[];
extern const struct oci_word oci_sched_flags[];
extern const struct oci_word oci_io_classes[];
extern const struct oci_word oci_memory_modes[];
extern const struct oci_word oci_memory_flags[];
extern const struct oci_word oci_personalities[];

/* clang-format off */
reader_fn read_word;   /* uint64_t, by the words at arg */
reader_fn read_flag;   /* an entry of a list: or'ed into a uint64_t, by the words at arg */
reader_fn read_bitset; /* struct oci_bitset, of "0-2,7"; "" is none */
/* clang-format on */

#endif
