# Read by the hook that makes an initramfs for the kernel $1, which looks whether INITRD is No. A kernel that has in it what
# finds this root needs none, and making one takes an emulated guest half a minute.
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
# One of an earlier build would be found by update-grub.
[ -z "$INITRD" ] || rm -f "/boot/initrd.img-$1"
