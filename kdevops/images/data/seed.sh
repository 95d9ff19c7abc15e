# Applies the seed, which contains the guest's name, keys and network settings. Sourced by init and by the unit.
#
# The seed is a virtio disk with the serial kd-seed that holds a plain ustar archive of the files
#   hostname              one line
#   authorized_keys       the keys of root
#   ssh_host_ed25519_key  the private host key, so that the controller knows it before the first boot
#   network               lines ADDRESS=<address>/<prefix>, GATEWAY=<address>, DNS=<address>, and for each further card, whose
#                         addresses all begin with $lan, LAN=<mac>,<address>/<prefix>
# Written for busybox sh, whose applets (tar, ip) start without the cost of loading a program.

seed=/run/kdevops/seed
lan=52:54:00:6b:

say() {
    echo "kdevops-init: $*" >/dev/console
}

# wait_for COMMAND...: tries it every 50 ms for at most 10 s.
wait_for() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || return 1
        sleep 0.05
    done
}

find_seed() {
    for file in /sys/block/vd*/serial; do
        serial=
        # The kernel does not end the serial with a newline, so read returns false.
        read -r serial 2>/dev/null <"$file" || true
        [ "$serial" = kd-seed ] || continue
        device=${file%/serial}
        device=/dev/${device##*/}
        return 0
    done
    return 1
}

# find_interface [MAC]: the card with this address, otherwise the one that is on none of the lab's own networks.
find_interface() {
    for interface in /sys/class/net/*; do
        # An interface without a device is lo, or a tunnel or dummy that is built into the kernel.
        [ -e "$interface/device" ] || continue
        mac=
        read -r mac 2>/dev/null <"$interface/address" || true
        interface=${interface##*/}
        case $mac in
            ${1:-none}) return 0 ;;
            $lan*) ;;
            *) [ "${1:-}" ] || return 0 ;;
        esac
    done
    return 1
}

# set_lan MAC,ADDRESS/PREFIX
set_lan() {
    wait_for find_interface "${1%%,*}" || { say "no network interface ${1%%,*}"; return; }
    ip address add "${1#*,}" dev "$interface" && ip link set "$interface" up || say "$interface cannot be set to ${1#*,}"
}

unpack_seed() {
    wait_for find_seed || { say "no disk with the serial kd-seed: no name, no network, no login"; return 1; }
    tar -xf "$device" -C $seed || say "the seed on $device cannot be unpacked"
}

set_hostname() {
    name=
    read -r name 2>/dev/null <$seed/hostname || [ "$name" ] || { say "the seed has no hostname"; return; }
    echo "$name" >/proc/sys/kernel/hostname
    echo "$name" >/etc/hostname
    printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost\n' "$name" >/etc/hosts
}

set_network() {
    ip link set lo up || say "lo does not come up"
    address= gateway= dns= lans=
    while IFS='=' read -r key value; do
        case $key in
            ADDRESS) address=$value ;;
            GATEWAY) gateway=$value ;;
            DNS) dns=$value ;;
            LAN) lans="$lans $value" ;;
        esac
    done <$seed/network
    [ "$address" ] || { say "the seed has no network"; return; }
    wait_for find_interface || { say "no network interface: is its driver in the kernel?"; return; }
    ip address add "$address" dev "$interface" && ip link set "$interface" up || say "$interface cannot be set to $address"
    [ -z "$gateway" ] || ip route add default via "$gateway" || say "no route to the gateway $gateway"
    [ -z "$dns" ] || echo "nameserver $dns" >/etc/resolv.conf
    for value in $lans; do
        set_lan "$value"
    done
}

apply_seed() {
    unpack_seed || return
    set_hostname
    set_network
}
