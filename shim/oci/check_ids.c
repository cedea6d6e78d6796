/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces: what the fields about them need of one another. */
#include "shim/oci/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* As the kernel has it: no id beyond 2^32-2, none of them twice on either side. */
static int check_range(const char *field, const struct oci_id_maps *maps, size_t i, struct err *err)
{
	const struct oci_id_map *m = &maps->v[i];

	if (m->size == 0)
		return err_set(err, ERR_CONFIG, "%s[%zu].size: must not be 0", field, i);
	if ((uint64_t)m->container + m->size > UINT32_MAX)
		return err_set(err, ERR_CONFIG, "%s[%zu].containerID: the range ends beyond the last id", field, i);
	if ((uint64_t)m->host + m->size > UINT32_MAX)
		return err_set(err, ERR_CONFIG, "%s[%zu].hostID: the range ends beyond the last id", field, i);
	for (size_t k = 0; k < i; k++) {
		const struct oci_id_map *other = &maps->v[k];

		if (m->container < other->container + other->size && other->container < m->container + m->size)
			return err_set(err, ERR_CONFIG, "%s[%zu].containerID: the range overlaps that of [%zu]", field,
				       i, k);
		if (m->host < other->host + other->size && other->host < m->host + m->size)
			return err_set(err, ERR_CONFIG, "%s[%zu].hostID: the range overlaps that of [%zu]", field, i,
				       k);
	}
	return 0;
}

int oci_check_id_maps(const char *field, const struct oci_id_maps *maps, struct err *err)
{
	size_t bytes = 0;

	for (size_t i = 0; i < maps->n; i++) {
		const struct oci_id_map *m = &maps->v[i];

		if (check_range(field, maps, i, err) < 0)
			return -1;
		bytes += (size_t)snprintf(NULL, 0, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", m->container, m->host,
					  m->size);
	}
	if (bytes >= OCI_ID_MAPS_TEXT_MAX)
		return err_set(err, ERR_CONFIG, "%s: %zu bytes as the kernel is told, who takes less than %d", field,
			       bytes, OCI_ID_MAPS_TEXT_MAX);
	return 0;
}

static bool is_mapped(const struct oci_id_maps *maps, uint32_t id)
{
	for (size_t i = 0; i < maps->n; i++)
		if (id >= maps->v[i].container && id - maps->v[i].container < maps->v[i].size)
			return true;
	return false;
}

static int check_user(const struct oci_config *c, struct err *err)
{
	const struct oci_process *p = &c->process;

	if (!c->has_process)
		return 0;
	if (!is_mapped(&c->uid_maps, p->uid))
		return err_set(err, ERR_CONFIG, "process.user.uid: %u is not in linux.uidMappings", p->uid);
	if (!is_mapped(&c->gid_maps, p->gid))
		return err_set(err, ERR_CONFIG, "process.user.gid: %u is not in linux.gidMappings", p->gid);
	for (size_t i = 0; i < p->n_additional_gids; i++)
		if (!is_mapped(&c->gid_maps, p->additional_gids[i]))
			return err_set(err, ERR_CONFIG,
				       "process.user.additionalGids[%zu]: %u is not in linux.gidMappings", i,
				       p->additional_gids[i]);
	return 0;
}

static int check_user_namespace(const struct oci_config *c, struct err *err)
{
	const struct {
		const char *field;
		const struct oci_id_maps *maps;
	} both[] = { { "linux.uidMappings", &c->uid_maps }, { "linux.gidMappings", &c->gid_maps } };
	bool wanted = c->ns[OCI_NS_USER].wanted, joined = c->ns[OCI_NS_USER].path;

	for (size_t i = 0; i < 2; i++) {
		if (!wanted && both[i].maps->n)
			return err_set(err, ERR_CONFIG, "%s: needs a user namespace", both[i].field);
		if (wanted && !joined && !both[i].maps->n)
			return err_set(err, ERR_CONFIG, "%s: is missing: a new user namespace needs it", both[i].field);
		if (oci_check_id_maps(both[i].field, both[i].maps, err) < 0)
			return -1;
		/* Whoever builds the container has to be somebody in it. */
		if (wanted && !joined && !is_mapped(both[i].maps, 0))
			return err_set(err, ERR_CONFIG, "%s: the container's id 0 is not in it", both[i].field);
	}
	return wanted && !joined ? check_user(c, err) : 0;
}

static int check_time(const struct oci_config *c, struct err *err)
{
	if (!oci_has_time_offsets(c))
		return 0;
	if (!c->ns[OCI_NS_TIME].wanted)
		return err_set(err, ERR_CONFIG, "linux.timeOffsets: needs a time namespace");
	if (c->ns[OCI_NS_TIME].path)
		return err_set(err, ERR_CONFIG,
			       "linux.timeOffsets: the time namespace is joined: its offsets are what they are");
	return 0;
}

static int check_net_devices(const struct oci_config *c, struct err *err)
{
	for (size_t i = 0; i < c->n_net_devices; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(c->net_devices[i].name, c->net_devices[k].name) &&
			    !strchr(c->net_devices[i].name, '%'))
				return err_set(err, ERR_CONFIG,
					       "linux.netDevices.%s.name: '%s' is that of '%s' as well",
					       c->net_devices[i].host_name, c->net_devices[i].name,
					       c->net_devices[k].host_name);
	return 0;
}

bool oci_has_new_ns(const struct oci_config *c, enum oci_ns kind)
{
	return c->ns[kind].wanted && !c->ns[kind].path;
}

bool oci_has_time_offsets(const struct oci_config *c)
{
	return c->monotonic.secs || c->monotonic.nanosecs || c->boottime.secs || c->boottime.nanosecs;
}

static int check_mount(const struct oci_config *c, size_t i, struct err *err)
{
	const struct oci_mount *m = &c->mounts[i];
	char field[48];

	if (!m->idmap)
		return 0;
	if (!m->bind)
		return err_set(err, ERR_CONFIG, "mounts[%zu]: ids can be mapped for bind mounts only", i);
	if (!m->uid_maps.n != !m->gid_maps.n)
		return err_set(err, ERR_CONFIG, "mounts[%zu].%s: is missing: there is the other one", i,
			       m->uid_maps.n ? "gidMappings" : "uidMappings");
	if (!m->uid_maps.n && !c->ns[OCI_NS_USER].wanted)
		return err_set(err, ERR_CONFIG,
			       "mounts[%zu].options: 'idmap' needs uidMappings and gidMappings, or a user namespace",
			       i);
	snprintf(field, sizeof(field), "mounts[%zu].uidMappings", i);
	if (oci_check_id_maps(field, &m->uid_maps, err) < 0)
		return -1;
	snprintf(field, sizeof(field), "mounts[%zu].gidMappings", i);
	return oci_check_id_maps(field, &m->gid_maps, err);
}

static int check_mounts(const struct oci_config *c, struct err *err)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (check_mount(c, i, err) < 0)
			return -1;
	return 0;
}

int oci_check_ids(const struct oci_config *c, struct err *err)
{
	if (check_user_namespace(c, err) < 0 || check_time(c, err) < 0 || check_mounts(c, err) < 0)
		return -1;
	return check_net_devices(c, err);
}
