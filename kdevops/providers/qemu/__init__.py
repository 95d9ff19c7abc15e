"""The embedded provider: guests under QEMU, without a daemon and without root."""
