// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two things that only the Raspberry Pi's firmware knows, and that the mainline kernel does not ask it for.
 *
 * At "reboot '0 tryboot'" the one-shot tryboot flag is set: the firmware's next start, and only that one, obeys the
 * [tryboot] section of autoboot.txt. /sys/firmware/wardlink/otp_key tells root the 256 bits of the device's private key
 * in one-time memory, as 64 hexadecimal digits; all zero where nobody burnt one. Where there is no such firmware this
 * module does nothing.
 *
 * The tags: raspberrypi/linux (downstream) include/soc/bcm2835/raspberrypi-firmware.h, SET_REBOOT_FLAGS (one 32-bit
 * word, bit 0 is the flag), and raspberrypi/utils rpi-otp-private-key (first row, rows, then the rows).
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/of.h>
#include <linux/reboot.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <soc/bcm2835/raspberrypi-firmware.h>

#define TAG_SET_REBOOT_FLAGS	0x00038064
#define TAG_GET_PRIVATE_OTP	0x00030081
#define FLAG_TRYBOOT		BIT(0)
#define COMMAND			"0 tryboot"
#define KEY_ROWS		8

struct otp_rows {
	u32 first;
	u32 count;
	u32 rows[KEY_ROWS];
};

static struct kobject *folder;

static int ask(u32 tag, void *data, size_t size)
{
	struct device_node *node;
	struct rpi_firmware *firmware;
	int ret;

	node = rpi_firmware_find_node();
	if (!node)
		return -ENODEV;

	firmware = rpi_firmware_get(node);
	of_node_put(node);
	if (!firmware)
		return -EPROBE_DEFER;

	ret = rpi_firmware_property(firmware, tag, data, size);
	rpi_firmware_put(firmware);
	return ret;
}

static ssize_t otp_key_show(struct kobject *kobj, struct kobj_attribute *attribute, char *page)
{
	struct otp_rows key = { .count = KEY_ROWS };
	int row, ret, at = 0;

	ret = ask(TAG_GET_PRIVATE_OTP, &key, sizeof(key));
	if (ret)
		return ret;
	for (row = 0; row < KEY_ROWS; row++)
		at += sysfs_emit_at(page, at, "%08x", key.rows[row]);
	memzero_explicit(&key, sizeof(key));
	return at + sysfs_emit_at(page, at, "\n");
}

static struct kobj_attribute otp_key = __ATTR(otp_key, 0400, otp_key_show, NULL);

static int at_reboot(struct notifier_block *block, unsigned long action, void *command)
{
	u32 flags = FLAG_TRYBOOT;
	int ret;

	if (action != SYS_RESTART || !command || strcmp(command, COMMAND))
		return NOTIFY_DONE;

	ret = ask(TAG_SET_REBOOT_FLAGS, &flags, sizeof(flags));
	if (ret == -ENODEV)
		return NOTIFY_DONE;
	if (ret)
		pr_err("the firmware did not take the tryboot flag: %d\n", ret);
	else
		pr_info("the firmware starts the other slot once\n");
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = {
	.notifier_call = at_reboot,
};

static int __init tryboot_init(void)
{
	struct device_node *node = rpi_firmware_find_node();
	int ret;

	if (node) {
		of_node_put(node);
		folder = kobject_create_and_add("wardlink", firmware_kobj);
		if (!folder)
			return -ENOMEM;
		ret = sysfs_create_file(folder, &otp_key.attr);
		if (ret)
			goto put;
	}

	ret = register_reboot_notifier(&reboot_notifier);
	if (!ret)
		return 0;
put:
	kobject_put(folder);
	return ret;
}
module_init(tryboot_init);

static void __exit tryboot_exit(void)
{
	unregister_reboot_notifier(&reboot_notifier);
	kobject_put(folder);
}
module_exit(tryboot_exit);

MODULE_AUTHOR("The wardlink authors");
MODULE_DESCRIPTION("Raspberry Pi: the one-shot tryboot flag at reboot, and the private key in one-time memory");
MODULE_LICENSE("GPL");
