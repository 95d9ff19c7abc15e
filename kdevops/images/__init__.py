"""Disk images for guests: Debian images that we build, images given in the lab, Vagrant boxes, initramfs."""
