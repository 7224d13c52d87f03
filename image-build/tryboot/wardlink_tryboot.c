// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets the Raspberry Pi firmware's one-shot "tryboot" flag at "reboot '0 tryboot'".
 *
 * With the flag set, the firmware's next start, and only that one, obeys the [tryboot] section of autoboot.txt. The
 * downstream kernel of Raspberry Pi does this in its firmware driver; the mainline driver, which Debian builds, does
 * not. Where there is no such firmware this module does nothing.
 *
 * The tag: raspberrypi/firmware wiki, "Mailbox property interface", and RPI_FIRMWARE_SET_REBOOT_FLAGS of the downstream
 * include/soc/bcm2835/raspberrypi-firmware.h: one 32-bit word, bit 0 is the flag.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/of.h>
#include <linux/reboot.h>
#include <linux/string.h>
#include <soc/bcm2835/raspberrypi-firmware.h>

#define TAG_SET_REBOOT_FLAGS	0x00038064
#define FLAG_TRYBOOT		BIT(0)
#define COMMAND			"0 tryboot"

static int set_flag(void)
{
	u32 flags = FLAG_TRYBOOT;
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

	ret = rpi_firmware_property(firmware, TAG_SET_REBOOT_FLAGS, &flags, sizeof(flags));
	rpi_firmware_put(firmware);
	return ret;
}

static int at_reboot(struct notifier_block *block, unsigned long action, void *command)
{
	int ret;

	if (action != SYS_RESTART || !command || strcmp(command, COMMAND))
		return NOTIFY_DONE;

	ret = set_flag();
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
	return register_reboot_notifier(&reboot_notifier);
}
module_init(tryboot_init);

static void __exit tryboot_exit(void)
{
	unregister_reboot_notifier(&reboot_notifier);
}
module_exit(tryboot_exit);

MODULE_AUTHOR("The wardlink authors");
MODULE_DESCRIPTION("Raspberry Pi: set the one-shot tryboot flag at reboot");
MODULE_LICENSE("GPL");
