/* SPDX-License-Identifier: Apache-2.0 */
/* linux.netDevices: interfaces to be moved, and the names they get. */
#include <net/if.h>
#include <string.h>

#include "common/fd.h"
#include "shim/oci/read.h"

/* As the kernel has it, who takes one "%d" for "the next free number" in a new name. */
static bool is_name(const char *name, bool pattern)
{
	const char *percent = strchr(name, '%');

	if (!name[0] || strlen(name) >= IFNAMSIZ || !strcmp(name, ".") || !strcmp(name, "..") ||
	    name[strcspn(name, "/: \t\n\v\f\r")])
		return false;
	return !percent || (pattern && percent[1] == 'd' && !strchr(percent + 1, '%'));
}

static int read_name(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	if (read_string(at, v, out, arg, err) < 0)
		return -1;
	if (*(char **)out && !is_name(*(char **)out, true))
		return refuse(at, err, ERR_CONFIG, "'%s' is no name of an interface", *(char **)out);
	return 0;
}

static const struct row net_device_rows[] = {
	ROW("name", read_name, offsetof(struct oci_net_device, name)),
};
static const struct table net_device_table = TABLE(net_device_rows);

int read_net_devices(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_config *c = out;

	if (want_object(at, v, err) < 0)
		return -1;
	c->net_devices = xcalloc((size_t)json_object_object_length(v) + 1, sizeof(*c->net_devices));
	json_object_object_foreach(v, key, value)
	{
		struct oci_net_device *d = &c->net_devices[c->n_net_devices++];
		struct at member = { .up = at, .key = key };

		if (!is_name(key, false))
			return refuse(&member, err, ERR_CONFIG, "is no name of an interface");
		d->host_name = xstrdup(key);
		if (value && read_object(&member, value, d, &net_device_table, err) < 0)
			return -1;
		if (!d->name)
			d->name = xstrdup(key);
	}
	return 0;
}
