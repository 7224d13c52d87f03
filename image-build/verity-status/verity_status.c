// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets RAUC 1.13 read what kernels since 6.19 say of a dm-verity device.
 *
 * RAUC opens a bundle over dm-verity, reads from it, and then wants the device's status to be exactly "V": no block was
 * found to be corrupt. Since Linux 6.19 (commit ae97648e14f7) the number of blocks that forward error correction has
 * mended stands behind it, or "-" where there is none: "V -". RAUC 1.15.1 reads that (rauc issue 1842); Debian 13 has
 * 1.13. Preloaded into rauc.service, this cuts "V <whatever>" to "V", and leaves "C", corrupt, alone. It verifies nothing
 * itself: that is the kernel's and RAUC's. To be removed with a newer RAUC.
 *
 * Without a C library, so that it fits any. Sources: linux/dm-ioctl.h; arm64 system call convention.
 */

#define SYS_IOCTL		29
#define DM_TABLE_STATUS		0xc138fd0cUL	/* _IOWR(0xfd, 12, struct dm_ioctl), 312 bytes */
#define DATA_SIZE_AT		12
#define DATA_START_AT		16
#define TYPE_AT			24		/* in struct dm_target_spec */
#define PARAMS_AT		40

int *__errno_location(void);

static long call(long number, long one, long two, long three)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = one;
	register long x1 __asm__("x1") = two;
	register long x2 __asm__("x2") = three;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory", "cc");
	return x0;
}

static int is_verity(const char *type)
{
	const char *wanted = "verity";

	while (*wanted && *type == *wanted) {
		type++;
		wanted++;
	}
	return *type == *wanted;
}

static void shorten(char *answer)
{
	unsigned int size = *(unsigned int *)(answer + DATA_SIZE_AT);
	unsigned int start = *(unsigned int *)(answer + DATA_START_AT);
	char *params;

	if (start > size || size - start < PARAMS_AT + 2)
		return;
	params = answer + start + PARAMS_AT;
	if (is_verity(answer + start + TYPE_AT) && params[0] == 'V' && params[1] == ' ')
		params[1] = '\0';
}

int ioctl(int fd, unsigned long request, char *argument)
{
	long got = call(SYS_IOCTL, fd, (long)request, (long)argument);

	if (got < 0) {
		*__errno_location() = (int)-got;
		return -1;
	}
	if (request == DM_TABLE_STATUS)
		shorten(argument);
	return (int)got;
}
