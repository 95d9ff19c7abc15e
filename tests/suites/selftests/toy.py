"""A toy kernel tree with just enough of kselftest to be built in a moment."""

TOP = """\
headers:
\t@mkdir -p $(O)/usr/include
\t@cp include/*.h $(O)/usr/include/
"""

SELFTESTS = """\
# SPDX-License-Identifier: MIT
TARGETS += good
TARGETS += net/deep broken
TARGETS += \\
\tempty partial
ifneq (1, $(quicktest))
TARGETS += slow # not always
endif
TARGETS_HOTPLUG = hotplug
TARGETS += $(EXTRA)

install:
\tmkdir -p $(INSTALL_PATH)
\trm -f $(INSTALL_PATH)/kselftest-list.txt
\tfor t in $(TARGETS); do \\
\t\tmkdir -p $(O)/kselftest/$$t && \\
\t\t$(MAKE) -C $$t OUTPUT=$(O)/kselftest/$$t INSTALL_PATH=$(INSTALL_PATH)/$$t NAME=$$t \\
\t\t\tLIST=$(INSTALL_PATH)/kselftest-list.txt HEADERS=$(O)/usr/include install || exit 1; \\
\tdone
"""

INSTALL = """\
install: $(OUTPUT)/{program}
\tmkdir -p $(INSTALL_PATH)
\tcp $(OUTPUT)/{program} $(INSTALL_PATH)/
\techo $(NAME):{program} >> $(LIST)
$(OUTPUT)/{program}: {program}.c
\t$(CC) -I$(HEADERS) -o $@ $<
"""

SCRIPT = """\
install: script
script: $(OUTPUT)/works
\tmkdir -p $(INSTALL_PATH)
\tcp script.sh settings $(INSTALL_PATH)/
\techo $(NAME):script.sh >> $(LIST)
"""

FILES = {
    "Makefile": TOP,
    "include/toy.h": "#define TOY 0\n",
    "tools/include/other.h": "\n",
    "tools/testing/selftests/Makefile": SELFTESTS,
    "tools/testing/selftests/lib.mk": "\n",
    "tools/testing/selftests/good/Makefile": INSTALL.format(program="works") + SCRIPT,
    "tools/testing/selftests/good/works.c": "#include <toy.h>\nint main(void) { return TOY; }\n",
    "tools/testing/selftests/good/script.sh": "#!/bin/sh -e\necho ok\n",
    "tools/testing/selftests/good/settings": "# seconds\ntimeout=90\n",
    "tools/testing/selftests/good/config": (
        'CONFIG_ALPHA=m\nCONFIG_BETA=y\n# CONFIG_GAMMA is not set\n# a comment\nCONFIG_TEXT="a b"\nCONFIG_NUMBER=4\n'
    ),
    "tools/testing/selftests/good/config.x86_64": "CONFIG_INTEL=y\n",
    "tools/testing/selftests/good/config.s390x": "CONFIG_OTHER=y\n",
    "tools/testing/selftests/net/deep/Makefile": INSTALL.format(program="works"),
    "tools/testing/selftests/net/deep/works.c": "int main(void) { return 0; }\n",
    "tools/testing/selftests/net/deep/settings": "timeout=0\n",
    "tools/testing/selftests/net/deep/config": "CONFIG_ALPHA=y\nCONFIG_BETA=m\n",
    "tools/testing/selftests/broken/Makefile": INSTALL.format(program="bad"),
    "tools/testing/selftests/broken/bad.c": "#include <no-such-library.h>\nint main(void) { return 0; }\n",
    "tools/testing/selftests/empty/Makefile": "install:\n\t@true\n",
    "tools/testing/selftests/partial/Makefile": "install:\n\tmkdir -p $(INSTALL_PATH)\n"
    "\tcp part.sh $(INSTALL_PATH)/ && echo $(NAME):part.sh >> $(LIST)\n"
    "\t$(MAKE) -C sub || true\n",
    "tools/testing/selftests/partial/part.sh": "#!/bin/sh\n",
    "tools/testing/selftests/partial/sub/Makefile": "all: part\npart: part.c\n\t$(CC) -o $(OUTPUT)/part part.c\n",
    "tools/testing/selftests/partial/sub/part.c": "int main(void) { return undeclared; }\n",
}


def make_tree(root):
    """Write the toy tree and return its path."""
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root
