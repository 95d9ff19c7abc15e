"""What guests start from: Debian images that we make, images that a lab brings, Vagrant boxes, initramfs."""
