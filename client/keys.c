/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that leave an attached container: read from text, and found in what is typed. */
#include "client/keys.h"

#include <string.h>

/* One key, `len` bytes of text; -1 when it is none. */
static int parse_key(const char *text, size_t len)
{
	static const char ctrl[] = "ctrl-";
	static const char with_ctrl[] = "@abcdefghijklmnopqrstuvwxyz[\\]^_"; /* in the order of their codes */
	const char *at;

	if (len == 1)
		return (unsigned char)text[0];
	if (len != sizeof(ctrl) || strncmp(text, ctrl, sizeof(ctrl) - 1) != 0)
		return -1;
	at = strchr(with_ctrl, text[len - 1]);
	return at ? (int)(at - with_ctrl) : -1;
}

int keys_parse(const char *text, struct keys *ret, struct err *err)
{
	struct keys k = { 0 };

	for (const char *p = text; *text;) {
		size_t len = strcspn(p, ",");
		int key = parse_key(p, len);

		if (key < 0)
			return err_set(err, ERR_USAGE, "--detach-keys is a list such as ctrl-p,ctrl-q, not '%s'", text);
		if (k.n == KEYS_MAX)
			return err_set(err, ERR_USAGE, "--detach-keys has more than %d keys", KEYS_MAX);
		k.sequence[k.n++] = (unsigned char)key;
		p += len;
		if (!*p)
			break;
		p++;
	}
	*ret = k;
	return 0;
}

bool keys_filter(struct keys *k, const unsigned char *in, size_t len, unsigned char *out, size_t *ret_len)
{
	size_t n = 0;

	*ret_len = 0;
	if (k->n == 0) {
		memcpy(out, in, len);
		*ret_len = len;
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		k->held[k->n_held++] = in[i];
		/* Give away from the front until what is held is a beginning again. */
		while (k->n_held > 0 && memcmp(k->held, k->sequence, k->n_held) != 0) {
			out[n++] = k->held[0];
			memmove(k->held, k->held + 1, --k->n_held);
		}
		if (k->n_held == k->n) {
			*ret_len = n;
			return true;
		}
	}
	*ret_len = n;
	return false;
}
