#!/bin/sh
# Called by mmdebstrap with the guest's root: our errand, a venv of pinned wheels ($WHEELS, $PINS) for the tests, nothing that
# runs by itself. wardlink is not here: tests install its package.
set -eu
root=$1
here=$(dirname "$0")
echo guest > "$root/etc/hostname"
echo "127.0.0.1 localhost guest" > "$root/etc/hosts"
echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
echo "/dev/root / ext4 defaults,noatime 0 1" > "$root/etc/fstab"
install -m 755 "$here/errand.sh" "$root/usr/local/sbin/errand"
install -m 644 "$here/errand.service" "$root/etc/systemd/system/errand.service"
mkdir -p "$root/host" "$root/wardlink" "$root/opt/wheels"
cp "$WHEELS"/*.whl "$PINS" "$root/opt/wheels/"
chroot "$root" python3 -m venv --system-site-packages /opt/guest
chroot "$root" /opt/guest/bin/pip --isolated install -q --no-index --no-deps --require-hashes \
    --find-links /opt/wheels -r "/opt/wheels/$(basename "$PINS")"
rm -rf "$root/opt/wheels"
chroot "$root" systemctl -q enable errand.service bluetooth.service
chroot "$root" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer \
    dpkg-db-backup.timer systemd-resolved.service systemd-timesyncd.service getty.target
