#!/bin/sh
# Called by mmdebstrap with the guest's root: our errand, a venv of pinned wheels ($WHEELS, $PINS), nothing that runs by itself.
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
chroot "$root" python3 -m venv --system-site-packages /opt/wardlink
chroot "$root" /opt/wardlink/bin/pip --isolated install -q --no-index --no-deps --require-hashes \
    --find-links /opt/wheels -r "/opt/wheels/$(basename "$PINS")"
rm -rf "$root/opt/wheels"
cat > "$root/opt/wardlink/bin/wardlink" <<'END'
#!/bin/sh
exec /opt/wardlink/bin/python -m agent.cli.entry "$@"
END
chmod 755 "$root/opt/wardlink/bin/wardlink"
chroot "$root" useradd --system --user-group wardlink
chroot "$root" systemctl -q enable errand.service bluetooth.service
chroot "$root" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer \
    dpkg-db-backup.timer systemd-resolved.service systemd-timesyncd.service getty.target
