# Sourced by the hook that creates an initramfs for the kernel $1 unless INITRD is No. A kernel with built-in drivers for this
# root needs none, and creating one takes half a minute on an emulated guest.
INITRD=No
case $(findmnt --noheadings --output SOURCE / || true) in
    /dev/vd*) options="VIRTIO_PCI VIRTIO_BLK" ;;
    /dev/sd*) options="BLK_DEV_SD SATA_AHCI" ;;
    /dev/nvme*) options="BLK_DEV_NVME" ;;
    *) options="" INITRD= ;;
esac
for option in DEVTMPFS_MOUNT EXT4_FS $options; do
    grep -qsx "CONFIG_$option=y" "/boot/config-$1" || INITRD=
done
# update-grub would find the initramfs of an earlier build.
[ -z "$INITRD" ] || rm -f "/boot/initrd.img-$1"
