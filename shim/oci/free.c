/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a config, whole or half-built: everything in it is zero until it is read. */
#include <stdlib.h>

#include "shim/oci/config.h"

static void strings_release(struct oci_strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
}

static void mounts_free(struct oci_mount *mounts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(mounts[i].destination);
		free(mounts[i].type);
		free(mounts[i].source);
		free(mounts[i].data);
		free(mounts[i].uid_maps.v);
		free(mounts[i].gid_maps.v);
	}
	free(mounts);
}

static void hooks_release(struct oci_hooks *hooks)
{
	for (size_t i = 0; i < hooks->n; i++) {
		free(hooks->v[i].path);
		strings_release(&hooks->v[i].args);
		strings_release(&hooks->v[i].env);
	}
	free(hooks->v);
}

static void process_release(struct oci_process *p)
{
	free(p->additional_gids);
	strings_release(&p->args);
	strings_release(&p->env);
	free(p->cwd);
	strings_release(&p->caps.unknown);
	free(p->rlimits);
	free(p->apparmor_profile);
	free(p->selinux_label);
}

static void resources_release(struct oci_resources *r)
{
	free(r->devices);
	free(r->cpu.cpus);
	free(r->cpu.mems);
	free(r->block_io.weights);
	for (size_t i = 0; i < OCI_THROTTLES; i++)
		free(r->block_io.throttle[i].v);
	for (size_t i = 0; i < r->network.n_priorities; i++)
		free(r->network.priorities[i].name);
	free(r->network.priorities);
	for (size_t i = 0; i < r->n_hugepages; i++)
		free(r->hugepages[i].page_size);
	free(r->hugepages);
	for (size_t i = 0; i < r->n_rdma; i++)
		free(r->rdma[i].device);
	free(r->rdma);
	strings_release(&r->unified_keys);
	strings_release(&r->unified_values);
}

void oci_resources_free(struct oci_resources *r)
{
	if (!r)
		return;
	resources_release(r);
	free(r);
}

static void seccomp_release(struct oci_seccomp *s)
{
	for (size_t i = 0; i < s->n_rules; i++) {
		struct oci_seccomp_rule *rule = &s->rules[i];

		strings_release(&rule->names);
		free(rule->action);
		for (size_t k = 0; k < rule->n_args; k++)
			free(rule->args[k].op);
		free(rule->args);
	}
	free(s->rules);
	free(s->default_action);
	strings_release(&s->architectures);
	strings_release(&s->flags);
	free(s->listener_path);
	free(s->listener_metadata);
}

void oci_intel_rdt_release(struct oci_intel_rdt *r)
{
	free(r->clos_id);
	free(r->l3_schema);
	free(r->mb_schema);
	strings_release(&r->schemata);
	*r = (struct oci_intel_rdt) { 0 };
}

void oci_config_free(struct oci_config *c)
{
	if (!c)
		return;
	free(c->version);
	process_release(&c->process);
	free(c->root_path);
	free(c->hostname);
	free(c->domainname);
	mounts_free(c->mounts, c->n_mounts);
	for (size_t i = 0; i < OCI_HOOKS; i++)
		hooks_release(&c->hooks[i]);
	strings_release(&c->annotation_keys);
	strings_release(&c->annotation_values);
	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		free(c->ns[i].path);
	for (size_t i = 0; i < c->n_net_devices; i++) {
		free(c->net_devices[i].host_name);
		free(c->net_devices[i].name);
	}
	free(c->net_devices);
	oci_intel_rdt_release(&c->intel_rdt);
	free(c->uid_maps.v);
	free(c->gid_maps.v);
	for (size_t i = 0; i < c->n_devices; i++)
		free(c->devices[i].path);
	free(c->devices);
	free(c->cgroups_path);
	free(c->mount_label);
	resources_release(&c->resources);
	seccomp_release(&c->seccomp);
	strings_release(&c->sysctl_keys);
	strings_release(&c->sysctl_values);
	strings_release(&c->masked_paths);
	strings_release(&c->readonly_paths);
	free(c);
}
