/* SPDX-License-Identifier: Apache-2.0 */
/* The less common limits, for both versions: huge pages, RDMA, network classes, block devices, and v2's files by their names. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/sandbox/cgroup_plan.h"

/* At no place (a plan of what is to be refused) there is everything. */
static bool has_file(const struct hierarchy *h, const char *file)
{
	cleanup_free char *path = h ? xasprintf("%s/%s", h->dir, file) : NULL;

	return path && (!h->dir[0] || access(path, F_OK) == 0);
}

/* ---- huge pages ------------------------------------------------------------------------------------- */

/* A hybrid host may have the controller in either. */
static int plan_hugepages(const struct cgroup *cg, const struct oci_resources *r, struct cgroup_plan *plan,
			  struct err *err)
{
	const struct hierarchy *v1 = cgroup_find(cg, "hugetlb"), *h = v1 ? v1 : cgroup_find_v2(cg);

	for (size_t i = 0; i < r->n_hugepages; i++) {
		const struct oci_hugepage_limit *p = &r->hugepages[i];
		cleanup_free char *field = xasprintf("linux.resources.hugepageLimits[%zu]", i),
				  *file = xasprintf("hugetlb.%s.%s", p->page_size, v1 ? "limit_in_bytes" : "max"),
				  *reserved =
					  xasprintf("hugetlb.%s.rsvd.%s", p->page_size, v1 ? "limit_in_bytes" : "max");

		if (!has_file(h, file))
			return err_set(err, ERR_UNSUPPORTED, "%s: no cgroup limits huge pages of %s here", field,
				       p->page_size);
		cgroup_plan_add(plan, h, field, file, "%" PRIu64, p->limit);
		/* Else what is reserved but not touched yet would not count. */
		if (has_file(h, reserved))
			cgroup_plan_add(plan, h, field, reserved, "%" PRIu64, p->limit);
	}
	return 0;
}

/* ---- RDMA, network ------------------------------------------------------------------------------------ */

static int plan_rdma(const struct cgroup *cg, const struct oci_resources *r, struct cgroup_plan *plan, struct err *err)
{
	const struct hierarchy *v1 = cgroup_find(cg, "rdma"), *h = v1 ? v1 : cgroup_find_v2(cg);

	for (size_t i = 0; i < r->n_rdma; i++) {
		const struct oci_rdma_limit *l = &r->rdma[i];
		cleanup_free char *field = xasprintf("linux.resources.rdma.%s", l->device);
		char handles[40] = "", objects[40] = "";

		if (!has_file(h, "rdma.max"))
			return err_set(err, ERR_UNSUPPORTED, "%s: no cgroup limits RDMA here", field);
		if (l->handles.set)
			snprintf(handles, sizeof(handles), " hca_handle=%" PRIu64, l->handles.v);
		if (l->objects.set)
			snprintf(objects, sizeof(objects), " hca_object=%" PRIu64, l->objects.v);
		if (handles[0] || objects[0])
			cgroup_plan_add(plan, h, field, "rdma.max", "%s%s%s", l->device, handles, objects)->reset =
				xasprintf("%s hca_handle=max hca_object=max", l->device);
	}
	return 0;
}

/* v2 has neither: there packets are marked by BPF programs and iptables. */
static int plan_network(const struct cgroup *cg, const struct oci_resources *r, struct cgroup_plan *plan,
			struct err *err)
{
	const struct hierarchy *cls = cgroup_find(cg, "net_cls"), *prio = cgroup_find(cg, "net_prio");

	if (r->network.class_id.set && r->network.class_id.v) {
		if (!cls)
			return err_set(err, ERR_UNSUPPORTED,
				       "linux.resources.network.classID: no net_cls cgroup is mounted");
		cgroup_plan_add(plan, cls, "linux.resources.network.classID", "net_cls.classid", "%" PRIu64,
				r->network.class_id.v);
	}
	for (size_t i = 0; i < r->network.n_priorities; i++) {
		const struct oci_net_priority *p = &r->network.priorities[i];
		cleanup_free char *field = xasprintf("linux.resources.network.priorities[%zu]", i);

		if (!prio)
			return err_set(err, ERR_UNSUPPORTED, "%s: no net_prio cgroup is mounted", field);
		cgroup_plan_add(plan, prio, field, "net_prio.ifpriomap", "%s %" PRIu64, p->name, p->priority)->reset =
			xasprintf("%s 0", p->name);
	}
	return 0;
}

/* ---- unified ------------------------------------------------------------------------------------------- */

static int plan_unified(const struct cgroup *cg, const struct oci_resources *r, struct cgroup_plan *plan,
			struct err *err)
{
	const struct hierarchy *h = cgroup_find_v2(cg);

	for (size_t i = 0; i < r->unified_keys.n; i++) {
		const char *key = r->unified_keys.v[i];
		cleanup_free char *field = xasprintf("linux.resources.unified.%s", key);

		if (!has_file(h, key))
			return err_set(err, ERR_UNSUPPORTED, "%s: the host's cgroup v2 has no such file", field);
		cgroup_plan_add(plan, h, field, key, "%s", r->unified_values.v[i]);
	}
	return 0;
}

/* ---- block devices --------------------------------------------------------------------------------------- */

/* Weights are the business of the disk's scheduler. bfq's have the config's range in both versions; those of v2's own, [1, 10000], are stretched. */
struct weight_files {
	const char *all, *device, *leaf, *leaf_device;
	const char *all_format; /* in front of the number */
	bool stretch;
};

static const struct weight_files weights_v1_bfq = {
	"blkio.bfq.weight", "blkio.bfq.weight_device", NULL, NULL, "", false
};
static const struct weight_files weights_v1 = {
	"blkio.weight", "blkio.weight_device", "blkio.leaf_weight", "blkio.leaf_weight_device", "", false
};
static const struct weight_files weights_v2_bfq = { "io.bfq.weight", "io.bfq.weight", NULL, NULL, "", false };
static const struct weight_files weights_v2 = { "io.weight", "io.weight", NULL, NULL, "default ", true };

static uint64_t stretched(const struct weight_files *f, uint64_t w)
{
	return f->stretch ? 1 + (w - 10) * 9999 / 990 : w;
}

static int plan_weight(const struct hierarchy *h, const char *field, const char *file, struct cgroup_plan *plan,
		       struct err *err, const char *prefix, uint64_t v)
{
	if (!file || !has_file(h, file))
		return err_set(err, ERR_UNSUPPORTED, "%s: the host's cgroups have no such weight", field);
	cgroup_plan_add(plan, h, field, file, "%s%" PRIu64, prefix, v);
	return 0;
}

static int plan_device_weight(const struct hierarchy *h, const struct weight_files *f,
			      const struct oci_weight_device *d, size_t i, struct cgroup_plan *plan, struct err *err)
{
	cleanup_free char *field = xasprintf("linux.resources.blockIO.weightDevice[%zu]", i),
			  *prefix = xasprintf("%" PRId64 ":%" PRId64 " ", d->major, d->minor);
	const struct {
		const char *file;
		const struct oci_u64 *v;
	} rows[] = { { f->device, &d->weight }, { f->leaf_device, &d->leaf_weight } };

	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		if (!rows[k].v->set)
			continue;
		if (plan_weight(h, field, rows[k].file, plan, err, prefix, stretched(f, rows[k].v->v)) < 0)
			return -1;
		plan->v[plan->n - 1].reset = xasprintf("%s%s", prefix, h->v2 ? "default" : "0");
	}
	return 0;
}

static int plan_weights(const struct hierarchy *h, const struct oci_resources *r, struct cgroup_plan *plan,
			struct err *err)
{
	const struct weight_files *f =
		h->v2 ? (has_file(h, "io.bfq.weight") ? &weights_v2_bfq : &weights_v2)
		      : (h->dir[0] && has_file(h, "blkio.bfq.weight") ? &weights_v1_bfq : &weights_v1);

	if (r->block_io.weight.set && plan_weight(h, "linux.resources.blockIO.weight", f->all, plan, err, f->all_format,
						  stretched(f, r->block_io.weight.v)) < 0)
		return -1;
	if (r->block_io.leaf_weight.set &&
	    plan_weight(h, "linux.resources.blockIO.leafWeight", f->leaf, plan, err, "", r->block_io.leaf_weight.v) < 0)
		return -1;
	for (size_t i = 0; i < r->block_io.n_weights; i++)
		if (plan_device_weight(h, f, &r->block_io.weights[i], i, plan, err) < 0)
			return -1;
	return 0;
}

static const struct {
	const char *field, *v1, *v2;
} throttles[OCI_THROTTLES] = {
	[OCI_READ_BPS] = { "throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps" },
	[OCI_WRITE_BPS] = { "throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps" },
	[OCI_READ_IOPS] = { "throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops" },
	[OCI_WRITE_IOPS] = { "throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops" },
};

/* A rate of 0 takes a limit away. */
static void plan_throttle(const struct hierarchy *h, size_t kind, const struct oci_throttle_device *d, size_t i,
			  struct cgroup_plan *plan)
{
	cleanup_free char *field = xasprintf("linux.resources.blockIO.%s[%zu]", throttles[kind].field, i),
			  *device = xasprintf("%" PRId64 ":%" PRId64, d->major, d->minor);
	const char *word = throttles[kind].v2;

	if (!h->v2)
		cgroup_plan_add(plan, h, field, throttles[kind].v1, "%s %" PRIu64, device, d->rate)->reset =
			xasprintf("%s 0", device);
	else if (d->rate)
		cgroup_plan_add(plan, h, field, "io.max", "%s %s=%" PRIu64, device, word, d->rate)->reset =
			xasprintf("%s %s=max", device, word);
	else
		cgroup_plan_add(plan, h, field, "io.max", "%s %s=max", device, word)->reset =
			xasprintf("%s %s=max", device, word);
}

static int plan_block_io(const struct cgroup *cg, const struct oci_resources *r, struct cgroup_plan *plan,
			 struct err *err)
{
	const struct hierarchy *h = cg->pure_v2 ? cgroup_find_v2(cg) : cgroup_find(cg, "blkio");
	bool any = r->block_io.weight.set || r->block_io.leaf_weight.set || r->block_io.n_weights;

	for (size_t k = 0; k < OCI_THROTTLES; k++)
		any |= r->block_io.throttle[k].n > 0;
	if (!any)
		return 0;
	if (!h)
		return err_set(err, ERR_UNSUPPORTED, "linux.resources.blockIO: no blkio cgroup is mounted");
	if (plan_weights(h, r, plan, err) < 0)
		return -1;
	for (size_t k = 0; k < OCI_THROTTLES; k++)
		for (size_t i = 0; i < r->block_io.throttle[k].n; i++)
			plan_throttle(h, k, &r->block_io.throttle[k].v[i], i, plan);
	return 0;
}

/* unified comes last: it overrides what the specification's own fields say. */
int cgroup_plan_more(const struct cgroup *cg, const struct oci_resources *r, struct cgroup_plan *plan, struct err *err)
{
	if (plan_hugepages(cg, r, plan, err) < 0 || plan_rdma(cg, r, plan, err) < 0 ||
	    plan_network(cg, r, plan, err) < 0 || plan_block_io(cg, r, plan, err) < 0 ||
	    plan_unified(cg, r, plan, err) < 0)
		return -1;
	return 0;
}
