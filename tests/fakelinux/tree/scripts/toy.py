"""What the toy kernel's Makefile leaves to a program: its Kconfig, and an image with the header of a real one."""

import re
import sys
from pathlib import Path


def read_kconfig(path, seen):
    """Options by name: type, whether it has a prompt, what it depends on, its default."""
    options, current, in_help = {}, None, False
    seen.append(str(path))
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#") or (in_help and line.startswith("\t  ")):
            continue
        in_help = words[0] == "help"
        match words[0]:
            case "config":
                current = options.setdefault(words[1], {"type": "bool", "prompt": False, "depends": [], "default": "n"})
            case "source":
                options |= read_kconfig(Path(words[1].strip('"')), seen)
            case "bool" | "tristate" | "int" | "string":
                current |= {"type": words[0], "prompt": len(words) > 1}
            case "depends":
                current["depends"] = [word for word in words[2:] if word != "&&"]
            case "default":
                current["default"] = words[1]
            case "help" | "menu" | "endmenu" | "mainmenu":
                pass
            case other:
                sys.exit(f'{path}:{number}: unknown statement "{other}"')
    return options


def resolve(options, asked):
    """The configuration that comes of what is asked for: what has no prompt or an unmet dependency is off."""
    result = {}
    for name, option in options.items():
        value = asked.get(name, option["default"]) if option["prompt"] else option["default"]
        if option["type"] == "bool" and value == "m":
            value = "y"
        result[name] = value

    def unmet(name):
        return result[name] != "n" and any(result.get(other) == "n" for other in options[name]["depends"])

    while lost := [name for name in options if unmet(name)]:
        result |= dict.fromkeys(lost, "n")
    return {
        name: value for name, value in result.items() if value != "n" or options[name]["type"] in ("bool", "tristate")
    }


def make_config(target, config, output):
    seen = []
    options = read_kconfig(Path("Kconfig"), seen)
    asked = {}
    if target == "olddefconfig":
        asked = dict(re.findall(r"^CONFIG_(\w+)=(.*)$", config.read_text(), re.MULTILINE))
        asked |= dict.fromkeys(re.findall(r"^# CONFIG_(\w+) is not set$", config.read_text(), re.MULTILINE), "n")
    if target == "tinyconfig":
        asked = dict.fromkeys(options, "n")
    result = resolve(options, asked)
    lines = [
        f"# CONFIG_{name} is not set" if value == "n" else f"CONFIG_{name}={value}" for name, value in result.items()
    ]
    config.write_text("".join(f"{line}\n" for line in lines))
    listed = "".join(f"\t{name} \\\n" for name in seen)
    (output / "include/config/auto.conf.cmd").write_text(f"deps_config := \\\n{listed}\n")


def make_image(vmlinux, image, release, arch):
    """A header that tells the release (x86: boot protocol, arm64: Image magic and banner), then the vmlinux."""
    head = bytearray(1024)
    if arch == "x86":
        head[0x202:0x206] = b"HdrS"
        head[0x20E:0x210] = (0x100).to_bytes(2, "little")
        head[0x300:] = f"{release} (toy@toy) #1\0".encode()
    else:
        head[0x38:0x3C] = b"ARM\x64"
        head += f"Linux version {release} (toy@toy)\0".encode()
    image.write_bytes(head + vmlinux.read_bytes())


match sys.argv[1:]:
    case ["config", target, config, output]:
        make_config(target, Path(config), Path(output))
    case ["image", vmlinux, image, release, arch]:
        make_image(Path(vmlinux), Path(image), release, arch)
