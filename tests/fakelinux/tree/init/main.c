// SPDX-License-Identifier: MIT
#include <linux/toy.h>

const char banner[] = "Linux version toy";

void start_kernel(void)
{
	for (;;)
		;
}
