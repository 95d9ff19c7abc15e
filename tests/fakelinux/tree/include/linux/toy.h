/* SPDX-License-Identifier: MIT */
#ifndef _LINUX_TOY_H
#define _LINUX_TOY_H
const char *toyfs_name(void);
void toy_missing(void);
#endif
