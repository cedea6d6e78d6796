/* SPDX-License-Identifier: Apache-2.0 */
/* The less common members of linux.resources: blockIO, network, hugepageLimits, rdma, unified. */
#include <ctype.h>
#include <string.h>

#include "common/fd.h"
#include "shim/oci/read.h"

/* A 32-bit number that may be absent. */
static int read_u32(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_u64 *n = out;

	if (want_u64(at, v, UINT32_MAX, &n->v, err) < 0)
		return -1;
	n->set = true;
	return 0;
}

/* ---- blockIO ---- */

#define WEIGHT_MIN 10
#define WEIGHT_MAX 1000

/* 0 is what writers with fixed structs leave behind where there is none. */
static int read_weight(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_u64 *n = out;
	uint64_t w;

	if (want_u64(at, v, WEIGHT_MAX, &w, err) < 0)
		return -1;
	if (w > 0 && w < WEIGHT_MIN)
		return refuse(at, err, ERR_CONFIG, "must be between %d and %d", WEIGHT_MIN, WEIGHT_MAX);
	*n = (struct oci_u64) { .set = w > 0, .v = w };
	return 0;
}

static int read_number(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	return want_i64(at, v, 0, UINT32_MAX, out, err);
}

static int read_rate(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	return want_u64(at, v, UINT64_MAX, out, err);
}

static const struct row weight_device_rows[] = {
	ROW("major", read_number, offsetof(struct oci_weight_device, major), .required = true),
	ROW("minor", read_number, offsetof(struct oci_weight_device, minor), .required = true),
	ROW("weight", read_weight, offsetof(struct oci_weight_device, weight)),
	ROW("leafWeight", read_weight, offsetof(struct oci_weight_device, leaf_weight)),
};
static const struct table weight_device_table = TABLE(weight_device_rows);
static const struct list weight_list = LIST(sizeof(struct oci_weight_device), read_object, .arg = &weight_device_table);
ASSERT_LIST(struct oci_resources, block_io.n_weights, block_io.weights);

static const struct row throttle_rows[] = {
	ROW("major", read_number, offsetof(struct oci_throttle_device, major), .required = true),
	ROW("minor", read_number, offsetof(struct oci_throttle_device, minor), .required = true),
	ROW("rate", read_rate, offsetof(struct oci_throttle_device, rate), .required = true),
};
static const struct table throttle_table = TABLE(throttle_rows);
static const struct list throttle_list = LIST(sizeof(struct oci_throttle_device), read_object, .arg = &throttle_table);
ASSERT_LIST(struct oci_throttle, n, v);

#define BLOCK_IO(field) offsetof(struct oci_resources, block_io.field)
static const struct row block_io_rows[] = {
	ROW("weight", read_weight, BLOCK_IO(weight)),
	ROW("leafWeight", read_weight, BLOCK_IO(leaf_weight)),
	ROW("weightDevice", read_list, BLOCK_IO(n_weights), .arg = &weight_list),
	ROW("throttleReadBpsDevice", read_list, BLOCK_IO(throttle[OCI_READ_BPS]), .arg = &throttle_list),
	ROW("throttleWriteBpsDevice", read_list, BLOCK_IO(throttle[OCI_WRITE_BPS]), .arg = &throttle_list),
	ROW("throttleReadIOPSDevice", read_list, BLOCK_IO(throttle[OCI_READ_IOPS]), .arg = &throttle_list),
	ROW("throttleWriteIOPSDevice", read_list, BLOCK_IO(throttle[OCI_WRITE_IOPS]), .arg = &throttle_list),
};
const struct table oci_block_io_table = TABLE(block_io_rows);

/* ---- network ---- */

/* What becomes a word of a line in a kernel file. */
static int read_word(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const char *text;

	if (want_string(at, v, &text, err) < 0)
		return -1;
	for (const char *p = text; *p; p++)
		if (isspace((unsigned char)*p) || iscntrl((unsigned char)*p))
			return refuse(at, err, ERR_CONFIG, "must not have blanks in it");
	return read_text(at, v, out, arg, err);
}

static int read_priority(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	return want_u64(at, v, UINT32_MAX, out, err);
}

static const struct row priority_rows[] = {
	ROW("name", read_word, offsetof(struct oci_net_priority, name), .required = true),
	ROW("priority", read_priority, offsetof(struct oci_net_priority, priority), .required = true),
};
static const struct table priority_table = TABLE(priority_rows);
static const struct list priority_list = LIST(sizeof(struct oci_net_priority), read_object, .arg = &priority_table);
ASSERT_LIST(struct oci_resources, network.n_priorities, network.priorities);

static const struct row network_rows[] = {
	ROW("classID", read_u32, offsetof(struct oci_resources, network.class_id)),
	ROW("priorities", read_list, offsetof(struct oci_resources, network.n_priorities), .arg = &priority_list),
};
const struct table oci_network_table = TABLE(network_rows);

/* ---- hugepageLimits ---- */

/* It becomes part of a file's name: 2MB, 1GB, 64KB. */
static int read_page_size(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const char *text;
	size_t n;

	if (want_string(at, v, &text, err) < 0)
		return -1;
	n = strspn(text, "0123456789");
	if (n == 0 || text[0] == '0' || !text[n] || !strchr("KMG", text[n]) || strcmp(text + n + 1, "B") != 0)
		return refuse(at, err, ERR_CONFIG, "must be a size such as 2MB or 1GB");
	*(char **)out = xstrdup(text);
	return 0;
}

static const struct row hugepage_rows[] = {
	ROW("pageSize", read_page_size, offsetof(struct oci_hugepage_limit, page_size), .required = true),
	ROW("limit", read_rate, offsetof(struct oci_hugepage_limit, limit), .required = true),
};
static const struct table hugepage_table = TABLE(hugepage_rows);
const struct list oci_hugepage_list = LIST(sizeof(struct oci_hugepage_limit), read_object, .arg = &hugepage_table);
ASSERT_LIST(struct oci_resources, n_hugepages, hugepages);

/* ---- rdma, unified: objects with keys of their own ---- */

static const struct row rdma_rows[] = {
	ROW("hcaHandles", read_u32, offsetof(struct oci_rdma_limit, handles)),
	ROW("hcaObjects", read_u32, offsetof(struct oci_rdma_limit, objects)),
};
static const struct table rdma_table = TABLE(rdma_rows);

static int want_members(const struct at *at, struct json_object *v, size_t *ret_n, struct err *err)
{
	if (want_object(at, v, err) < 0)
		return -1;
	*ret_n = (size_t)json_object_object_length(v);
	return *ret_n > OCI_LIST_MAX ? refuse(at, err, ERR_LIMIT, "has more than %d entries", OCI_LIST_MAX) : 0;
}

int read_rdma(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_resources *r = out;
	size_t n;

	if (want_members(at, v, &n, err) < 0)
		return -1;
	r->rdma = xcalloc(n + 1, sizeof(*r->rdma));
	json_object_object_foreach(v, key, value)
	{
		struct oci_rdma_limit *limit = &r->rdma[r->n_rdma++];
		struct at member = { .up = at, .key = key };

		if (!key[0] || strpbrk(key, " \t\n"))
			return refuse(&member, err, ERR_CONFIG, "is no name of a device");
		limit->device = xstrdup(key);
		if (read_object(&member, value, limit, &rdma_table, err) < 0)
			return -1;
	}
	return 0;
}

/* Is it a file that limits something? The kernel's own "cgroup.*" move processes, whose would be anybody's, or are the runtime's to write. */
static bool is_resource_file(const char *name)
{
	static const char *const limits[] = { "cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure" };

	if (!strchr(name, '.') || name[0] == '.' || strchr(name, '/'))
		return false;
	if (strncmp(name, "cgroup.", 7) != 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (!strcmp(name, limits[i]))
			return true;
	return false;
}

/* The keys become names of files in the container's group. */
int read_unified(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_resources *r = out;
	size_t n;

	if (want_members(at, v, &n, err) < 0)
		return -1;
	r->unified_keys.v = xcalloc(n + 1, sizeof(char *));
	r->unified_values.v = xcalloc(n + 1, sizeof(char *));
	json_object_object_foreach(v, key, value)
	{
		struct at member = { .up = at, .key = key };
		const char *text;

		if (!is_resource_file(key))
			return refuse(&member, err, ERR_CONFIG, "is no file of a control group's limits");
		if (want_string(&member, value, &text, err) < 0)
			return -1;
		r->unified_keys.v[r->unified_keys.n++] = xstrdup(key);
		r->unified_values.v[r->unified_values.n++] = xstrdup(text);
	}
	return 0;
}
