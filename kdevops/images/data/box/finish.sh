# Finishes the tree $1 after all packages are installed. Appended to assignments of `uuid` and `partuuid`, which identify the root
# file system.
set -e
in_tree() {
    chroot "$tree" env PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"
}
tree=$1

# A password that nothing matches; useradd's default would lock the account, and sshd refuses locked accounts.
in_tree useradd --create-home --user-group --uid 1000 --shell /bin/bash --password '*' vagrant

# Otherwise nearly everything waits for systemd-resolved, which takes seconds on an emulated guest.
resolved=lib/systemd/system/systemd-resolved.service
sed -e '/^\(Before\|DefaultDependencies\)=/d' -e 's/^WantedBy=.*/WantedBy=multi-user.target/' \
    "$tree/$resolved" >"$tree/etc/systemd/system/${resolved##*/}"
in_tree systemctl --quiet reenable systemd-resolved.service
in_tree systemctl --quiet enable systemd-networkd.service kdevops-host-keys.service

# Make initramfs-tools' hook for new kernels check first whether an initramfs is needed.
sed -i '1a [ "$INITRD" ] || . /usr/lib/kdevops/initrd.sh' "$tree/etc/kernel/postinst.d/initramfs-tools"

# GRUB without grub-install, which needs a disk: the core image is written after the boot sector later.
mkdir -p "$tree/boot/grub"
cp -r "$tree/usr/lib/grub/i386-pc" "$tree/boot/grub/"
in_tree grub-mkimage -O i386-pc -o /boot/grub/core.img -p "(hd0,msdos1)/boot/grub" biosdisk part_msdos ext2 normal linux
in_tree grub-editenv /boot/grub/grubenv create
# Scripts of update-grub that find nothing here; each takes a second on an emulated guest.
for script in 05_debian_theme 20_linux_xen 30_os-prober 30_uefi-firmware 40_custom 41_custom; do
    [ ! -e "$tree/etc/grub.d/$script" ] || chmod -x "$tree/etc/grub.d/$script"
done

# There is no disk yet for grub-probe to examine, so this substitute prints the future values. The device that it prints becomes the
# kernel's root parameter, because /dev/disk does not exist either.
probe=$tree/usr/sbin/grub-probe
mv "$probe" "$probe.real"
cat >"$probe" <<END
#!/bin/sh
for word; do
    case \$word in
        --target=device) echo UUID=$uuid ;;
        --target=fs_uuid) echo $uuid ;;
        --target=partuuid) echo $partuuid ;;
        --target=fs) echo ext2 ;;
        --target=partmap) echo msdos ;;
        --target=compatibility_hint) echo hd0,msdos1 ;;
        --target=hints_string) echo --hint-bios=hd0,msdos1 ;;
    esac
done
END
chmod +x "$probe"
in_tree grub-mkconfig -o /boot/grub/grub.cfg
mv "$probe.real" "$probe"
grep -q "root=UUID=$uuid" "$tree/boot/grub/grub.cfg"
