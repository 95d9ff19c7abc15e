# SPDX-License-Identifier: MIT
CC ?= gcc
OUTPUT ?= $(CURDIR)
programs := $(addprefix $(OUTPUT)/,$(TEST_GEN_PROGS))

all: $(programs)

$(OUTPUT)/%: %.c
	@echo "  CC      $@"
	@$(CC) -o $@ $<

install: all
	@mkdir -p $(INSTALL_PATH)
	@cp $(programs) $(TEST_PROGS) $(wildcard settings config) $(INSTALL_PATH)/

emit_tests:
	@for name in $(TEST_GEN_PROGS) $(TEST_PROGS); do echo "$(COLLECTION):$$name"; done

.PHONY: all install emit_tests
