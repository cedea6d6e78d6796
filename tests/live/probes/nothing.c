/* SPDX-License-Identifier: Apache-2.0 */
/* Ends with 0, as small as a static program of this libc gets. */
int main(void)
{
	return 0;
}
