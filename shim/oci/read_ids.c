/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings of ids, and the offsets of a time namespace. */
#include "shim/oci/read.h"

#define NANOSECS_MAX 999999999

static int read_u32(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	uint64_t n;

	if (want_u64(at, v, UINT32_MAX, &n, err) < 0)
		return -1;
	*(uint32_t *)out = (uint32_t)n;
	return 0;
}

static const struct row id_map_rows[] = {
	ROW("containerID", read_u32, offsetof(struct oci_id_map, container), .required = true),
	ROW("hostID", read_u32, offsetof(struct oci_id_map, host), .required = true),
	ROW("size", read_u32, offsetof(struct oci_id_map, size), .required = true),
};
static const struct table id_map_table = TABLE(id_map_rows);
const struct list oci_id_map_list =
	LIST(sizeof(struct oci_id_map), read_object, .arg = &id_map_table, .max = OCI_ID_MAPS_MAX);
ASSERT_LIST(struct oci_id_maps, n, v);

static int read_secs(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	return want_i64(at, v, INT64_MIN, INT64_MAX, out, err);
}

static int read_nanosecs(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	uint64_t n;

	if (want_u64(at, v, NANOSECS_MAX, &n, err) < 0)
		return -1;
	*(uint32_t *)out = (uint32_t)n;
	return 0;
}

static const struct row time_offset_rows[] = {
	ROW("secs", read_secs, offsetof(struct oci_time_offset, secs)),
	ROW("nanosecs", read_nanosecs, offsetof(struct oci_time_offset, nanosecs)),
};
static const struct table time_offset_table = TABLE(time_offset_rows);
const struct present oci_time_offset_present = { offsetof(struct oci_time_offset, set), 0, &time_offset_table };
