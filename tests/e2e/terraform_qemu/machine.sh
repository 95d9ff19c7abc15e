#!/bin/sh
# machine.sh create|reset|take|state|console|destroy DIRECTORY: a machine of the cloud that is this computer.
set -eu
verb=$1 home=$2

alive() {
    [ -s "$home/pid" ] && tr '\0' ' ' <"/proc/$(cat "$home/pid")/cmdline" 2>/dev/null | grep -q "qemu.*$home/"
}

off() {
    while alive; do
        kill -KILL "$(cat "$home/pid")" 2>/dev/null || true
        sleep 0.1
    done
    rm -f "$home/pid"
}

on() {
    drives=
    for disk in "$home"/data*; do
        [ ! -e "$disk" ] || drives="$drives -drive if=none,id=${disk##*/},file=$disk,format=raw,cache=unsafe
            -device virtio-blk-pci,drive=${disk##*/},serial=${disk##*/}"
    done
    # shellcheck disable=SC2086 - the drives are words without blanks
    qemu-system-x86_64 -nodefaults -display none -daemonize -pidfile "$home/pid" \
        -machine pc -accel tcg,thread=multi -cpu qemu64 -smp 1 -m 1024 \
        -chardev "file,id=console,path=$home/console,append=on" -serial chardev:console \
        -drive "if=none,id=root,file=$home/root.qcow2,format=qcow2,cache=unsafe" \
        -device virtio-blk-pci,drive=root,bootindex=0 $drives \
        -netdev "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:$(cat "$home/port")-10.0.2.15:22" \
        -device virtio-net-pci,netdev=net,romfile= -device virtio-rng-pci \
        -smbios "type=11,value=io.systemd.credential.binary:ssh.authorized_keys.root=$(cat "$home/key")" \
        -smbios "type=11,value=io.systemd.credential.binary:tmpfiles.extra=$(extra | base64 -w0)"
}

# systemd-tmpfiles(8) reads these lines: the machine's host key, which a cloud's own images make and show on the console.
extra() {
    echo "f~ /etc/ssh/ssh_host_ed25519_key 0600 root root - $(base64 -w0 "$home/host_key")"
}

case $verb in
    create)
        off
        mkdir -p "$home"
        printf %s "$PORT" >"$home/port"
        printf %s "$KEY" >"$home/key"
        [ -e "$home/host_key" ] || ssh-keygen -q -t ed25519 -N "" -C "" -f "$home/host_key"
        qemu-img create -q -f qcow2 -b "$BOX" -F qcow2 "$home/root.qcow2"
        number=0
        for size in $DISKS; do
            truncate -s "${size}G" "$home/data$number"
            number=$((number + 1))
        done
        on
        sleep "$SLOW"
        ;;
    reset)
        [ ! -e "$home/taken" ] || { echo "the machine was taken away" >&2; exit 1; }
        off
        on
        ;;
    take) # as a cloud does with a spot machine
        touch "$home/taken"
        off
        ;;
    state)
        if [ -e "$home/taken" ]; then echo terminated; elif alive; then echo running; else echo stopped; fi
        ;;
    console) # with the host key between lines as cloud-init prints them
        echo "-----BEGIN SSH HOST KEY KEYS-----"
        cat "$home/host_key.pub"
        echo "-----END SSH HOST KEY KEYS-----"
        cat "$home/console"
        ;;
    destroy)
        off
        rm -rf "$home"
        ;;
esac
