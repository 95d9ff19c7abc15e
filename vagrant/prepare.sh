#!/bin/sh
# Vagrant runs this in a new guest as root. It replaces the well-known keys with the lab's own, sets the guest's name, and makes disks
# findable by serial number on any bus. A second run changes nothing.
#
# usage: HOST_KEY=… prepare.sh NAME PUBLIC_KEY UDEV_RULES         all values in base64
# PUBLIC_KEY is the lab's. HOST_KEY, this guest's private host key, is not an argument, because every process can see arguments.
set -eu
umask 077

decoded() {
    printf %s "$1" | base64 -d
}
name=$(decoded "$1")
public_key=$(decoded "$2")
udev_rules=$(decoded "$3")
host_key=$(decoded "$HOST_KEY")

# Write $2 to the file $1 with mode $3. False if the file already had these contents.
written() {
    [ "$(cat "$1" 2>/dev/null)" != "$2" ] || return 1
    printf '%s\n' "$2" >"$1.new"
    chmod "$3" "$1.new"
    ! command -v restorecon >/dev/null || restorecon "$1.new"
    mv -f "$1.new" "$1"
}

let_in() {
    user=$1
    directory=$(getent passwd "$user" | cut -d: -f6)/.ssh
    mkdir -p "$directory"
    written "$directory/authorized_keys" "$public_key" 600 || return 0
    chown "$user:" "$directory" "$directory/authorized_keys"
}
let_in root
let_in "${SUDO_USER:-vagrant}"

sshd=$(command -v sshd || echo /usr/sbin/sshd)
config=/etc/ssh/sshd_config
key=/etc/ssh/ssh_host_ed25519_key
settings="# kdevops
HostKey $key
PermitRootLogin prohibit-password"
changed=
if written "$key" "$host_key" 600; then
    ssh-keygen -y -f "$key" >"$key.pub"
    chmod 644 "$key.pub"
    changed=yes
fi
if grep -qi '^[[:space:]]*include[[:space:]].*/etc/ssh/sshd_config\.d/' "$config"; then
    mkdir -p -m 755 "$config.d"
    ! written "$config.d/00-kdevops.conf" "$settings" 644 || changed=yes
elif ! grep -qx '# kdevops' "$config"; then
    # sshd uses the first value of a setting.
    written "$config" "$settings
$(cat "$config")" 644
    changed=yes
fi
if [ "$changed" ]; then
    "$sshd" -t
    # sshd reads its settings again; running sessions continue. If systemd listens for it, there is no daemon to notify.
    [ ! -s /run/sshd.pid ] || kill -HUP "$(cat /run/sshd.pid)"
fi

rules=/etc/udev/rules.d/61-kdevops.rules
if written "$rules" "$udev_rules" 644; then
    udevadm control --reload
    udevadm trigger --subsystem-match=block --action=change
    udevadm settle
fi

if written /etc/hostname "$name" 644; then
    echo "$name" >/proc/sys/kernel/hostname
    printf '127.0.1.1 %s\n' "$name" >>/etc/hosts
fi

# kdevops routinely cuts a guest's power.
sync
