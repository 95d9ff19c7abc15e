// SPDX-License-Identifier: MIT
#include <linux/toy.h>

int toymod_init(void)
{
	/* fault */
	return 0;
}
