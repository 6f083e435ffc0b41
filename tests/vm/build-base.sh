#!/usr/bin/env bash
# Builds the system the virtual machine boots: build-base.sh UNITS DESTINATION
#
# DESTINATION becomes a folder with disk.img, kernel and initrd; it appears whole or not at all. The system is
# of this machine's own Debian release, so that what is built here runs there, from the mirror that apt uses
# here. Nothing of gavel is in it: that comes on a second disk, so the base outlives every change of gavel.
set -euo pipefail

units=$1
destination=$2

# Mounts that debootstrap makes must not outlive this script, however it ends.
if [ "${3-}" != unshared ]; then
    exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
        "$0" "$units" "$destination" unshared
fi

packages=systemd-sysv,udev,dbus,libpam-systemd,linux-image-cloud-amd64,initramfs-tools

# shellcheck source=/dev/null
release=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(IDENTIFIER) $(REPO_URI)' \
    | awk -v release="$release" '$1 == release && $2 == "main" && $3 == "Packages" { print $4; exit }')
[ -n "$mirror" ] || { echo "apt on this machine names no mirror for '$release main'" >&2; exit 1; }
proxy=$(apt-config shell proxy Acquire::http::Proxy)
eval "$proxy"
if [ -n "${proxy-}" ]; then export http_proxy=$proxy; fi

mkdir -p "$(dirname "$destination")"
scratch=$(mktemp --directory "$destination.XXXXXX")
trap 'rm -rf --one-file-system "$scratch"' EXIT
root=$scratch/root

debootstrap --variant=minbase --include="$packages" "$release" "$root" "$mirror"

# A user to be unprivileged as, who owns nothing else.
chroot "$root" useradd --create-home --shell /bin/bash --uid 1234 judge
mkdir "$root/payload"
install -m 644 "$units"/* "$root/etc/systemd/system/"
# Most of an emulated boot would go into looking for hardware, twice: what there is, is known.
chroot "$root" systemctl --quiet mask \
    systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-udev-trigger.service \
    getty.target systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-journal-flush.service \
    systemd-random-seed.service systemd-pstore.service systemd-modules-load.service systemd-timesyncd.service \
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount \
    dev-hugepages.mount dev-mqueue.mount timers.target
rm "$root"/usr/share/initramfs-tools/scripts/init-{top,bottom}/udev
sed -i 's/^MODULES=.*/MODULES=list/' "$root/etc/initramfs-tools/initramfs.conf"
printf '%s\n' virtio_pci virtio_blk ext4 >"$root/etc/initramfs-tools/modules"
chroot "$root" update-initramfs -u
rm -rf "$root/var/cache/apt" "$root/var/lib/apt/lists" "$root/usr/share/doc" "$root/usr/share/locale"

made=$scratch/base
mkdir "$made"
cp "$root"/boot/vmlinuz-* "$made/kernel"
cp "$root"/boot/initrd.img-* "$made/initrd"
mkfs.ext4 -q -d "$root" "$made/disk.img" 1G
# Two builders at once: the second finds the place taken, and what is there is as good.
mv --no-target-directory "$made" "$destination" 2>/dev/null || [ -f "$destination/disk.img" ]
