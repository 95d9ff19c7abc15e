// SPDX-License-Identifier: MIT
#include <linux/toy.h>

const char *toyfs_name(void)
{
	/* fault */
	return "toyfs";
}
