# SPDX-License-Identifier: Apache-2.0
# thole: build, tests, installation. `make help` lists the targets.

BUILD   ?= build
CC      ?= gcc
PREFIX  ?= /usr/local
DESTDIR ?=
# V=1 shows the whole commands
Q := $(if $(V),,@)
comma := ,

# ---- what is built how -------------------------------------------------------------------------
# Five flavours, each with objects of its own: release (static), DYNAMIC=1 (shared libraries), SAN=address,undefined, FUZZ=1 (clang's fuzzer and
# the same sanitizers), and FAULTS=1 (its calls and named steps can be made to fail: tests/faults).
ifdef FUZZ
FLAVOUR  := fuzz
CC       := clang
SAN      := address,undefined
SANFLAGS := -fsanitize=fuzzer-no-link,$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
OPT      := -O1 -g
else ifdef FAULTS
FLAVOUR  := faults
OPT      := -O2 -g
LINK     := -static
else ifdef SAN
FLAVOUR  := san
SANFLAGS := -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
OPT      := -O1 -g
else ifdef DYNAMIC
FLAVOUR  := dynamic
OPT      := -O2 -g
else
FLAVOUR  := release
OPT      := -O2 -g
LINK     := -static
endif

OUT := $(if $(filter release,$(FLAVOUR)),$(BUILD),$(BUILD)/$(FLAVOUR))
OBJ := $(BUILD)/obj/$(FLAVOUR)

VERSION := $(shell cat VERSION)
# Of this version: "## 0.1.0 (2026-11-25)" in CHANGELOG.md.
RELEASE_DATE := $(shell sed -n 's/^\#\# $(VERSION) (\(.*\))$$/\1/p' CHANGELOG.md)
COMMIT  := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wvla -Wformat=2 -Wswitch-enum -Wno-unused-parameter \
	$(if $(findstring clang,$(CC)),-Wno-missing-field-initializers,-Wno-maybe-uninitialized -Wno-format-truncation) $(if $(NO_WERROR),,-Werror)
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=3
# Debian 13 has the headers of nanopb in a directory of their own.
CPPFLAGS += -D_GNU_SOURCE -I. -I$(BUILD) $(addprefix -isystem ,$(wildcard /usr/include/nanopb))
CFLAGS   += -std=gnu17 $(OPT) -ffunction-sections -fdata-sections $(if $(SAN),$(SANFLAGS),$(HARDEN))
LDFLAGS  += $(LINK) $(SANFLAGS) -Wl,--gc-sections -Wl,-z,relro,-z,now
ifdef FAULTS
# Without _FORTIFY_SOURCE a read() is called read, whatever is known of its buffer.
HARDEN   := -fstack-protector-strong
CPPFLAGS += -DTHOLE_FAULTS
LDFLAGS  += $(patsubst %,-Wl$(comma)--wrap=%,$(shell sed -n 's/^\([a-z][a-z0-9_]*\) .*/\1/p' tests/faults/calls))
endif

LIBS_COMMON := -lprotobuf-nanopb -ljson-c
LIBS_CLIENT := $(LIBS_COMMON) -lzstd
LIBS_SHIM   := $(LIBS_COMMON) -levent_core -lseccomp -lcap -lprotobuf-c -lm
LIBS_ALL    := $(LIBS_SHIM) -lzstd

# common/start.c stands in the place of a part of the static C library: in nothing else.
COMMON_SRC := $(filter-out common/start.c,$(wildcard common/*.c))
CLIENT_SRC := $(wildcard client/*.c client/commands/*.c)
SHIM_SRC   := $(filter-out shim/stdio/keeper_main.c,$(wildcard shim/*.c shim/*/*.c))
UNIT_SRC   := $(wildcard tests/unit/*_test.c)
PROBE_SRC  := $(wildcard tests/live/probes/*.c)
DOC_SRC    := contrib/make-docs $(wildcard contrib/man/*.mdoc contrib/completions/*.in)
FUZZ_SRC   := $(wildcard tests/fuzz/*.c)

GEN    := $(BUILD)/proto/control.pb.h $(BUILD)/proto/criu.pb-c.h $(BUILD)/proto/upgrade.pb-c.h
objs    = $(patsubst %.c,$(OBJ)/%.o,$(1))
COMMON_OBJ := $(call objs,$(COMMON_SRC)) $(OBJ)/proto/control.pb.o $(if $(FAULTS),$(OBJ)/tests/faults/fault.o)
START_OBJ  := $(if $(LINK),$(OBJ)/common/start.o)
CLIENT_OBJ := $(call objs,$(CLIENT_SRC))
SHIM_OBJ   := $(call objs,$(SHIM_SRC)) $(OBJ)/proto/criu.pb-c.o $(OBJ)/proto/upgrade.pb-c.o

.PHONY: all
all: $(OUT)/thole $(OUT)/thole-shim $(OUT)/thole-keeper $(OUT)/thole-oci ## build thole, thole-shim and thole-oci below build/

$(OUT)/thole: $(CLIENT_OBJ) $(COMMON_OBJ) $(START_OBJ)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_CLIENT)

$(OUT)/thole-shim: $(SHIM_OBJ) $(COMMON_OBJ) $(START_OBJ)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_SHIM)

# No C library and no flavours: one page of text, whatever the rest is built like.
$(OUT)/thole-keeper: shim/stdio/keeper_main.c shim/stdio/keeper.h
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) -I. -std=gnu17 -Os $(WARN) -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-pie -no-pie -static \
		-nostdlib -Wl,-z,norelro -Wl,-z,noseparate-code -Wl,--build-id=none -Wl,-z,max-page-size=4096 -o $@ $<

$(OUT)/thole-oci: $(OUT)/thole
	@ln -sf thole $@

# Man pages and completions, from the tables of the client.
DOCS := $(OUT)/docs
.PHONY: docs
docs: $(DOCS)/made ## man pages and completions, below build/docs
$(OUT)/tables: $(OBJ)/contrib/tables.o $(filter-out $(OBJ)/client/main.o,$(CLIENT_OBJ)) $(COMMON_OBJ)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_CLIENT)

$(DOCS)/made: $(OUT)/tables $(DOC_SRC) VERSION CHANGELOG.md
	@mkdir -p $(@D)
	@echo "  DOCS  $(@D)"
	$(Q)$(OUT)/tables > $(DOCS)/tables && contrib/make-docs $(DOCS)/tables $(DOCS) '$(VERSION)' '$(RELEASE_DATE)' && touch $@

$(BUILD)/proto/control.pb.h $(BUILD)/proto/control.pb.c: proto/control.proto proto/control.options
	@mkdir -p $(BUILD)/proto
	@nanopb_generator.py -q -I proto -D $(BUILD)/proto control.proto

$(BUILD)/proto/%.pb-c.h $(BUILD)/proto/%.pb-c.c: proto/%.proto
	@mkdir -p $(BUILD)/proto
	@protoc-c -I proto --c_out=$(BUILD)/proto $(<F)

# Not to be removed after the first build: what is made anew for the second makes everything anew.
.SECONDARY: $(GEN) $(GEN:.h=.c)

$(OBJ)/proto/%.o: $(BUILD)/proto/%.c $(GEN)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) -I$(BUILD)/proto $(CFLAGS) -c -o $@ $<

$(OBJ)/%.o: %.c $(GEN) | $(BUILD)/version.h
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) -DTHOLE_VERSION='"$(VERSION)"' -MMD -MP -c -o $@ $<

$(OBJ)/tests/faults/fault.o: $(BUILD)/faults/calls.h
$(BUILD)/faults/calls.h: tests/faults/calls
	@mkdir -p $(@D)
	$(Q)awk '/^[a-z]/ { printf "FAULT(%s, %s, %s, \"%s %s\")\n", $$1, $$2, $$3, $$4, $$5 }' $< > $@

# The commit is in one small header, rewritten only when it changes. Two makes of one build may be at it together (`make check`), so each
# writes a file of its own.
$(BUILD)/version.h: FORCE
	@mkdir -p $(@D)
	@new=$@.$$$$; echo '#define THOLE_COMMIT "$(COMMIT)"' > $$new; \
	if cmp -s $$new $@; then rm $$new; else mv $$new $@; fi
.PHONY: FORCE
FORCE:

-include $(patsubst %.o,%.d,$(COMMON_OBJ) $(CLIENT_OBJ) $(SHIM_OBJ) $(call objs,$(UNIT_SRC)) $(call objs,$(FUZZ_SRC)) $(OBJ)/contrib/tables.d)

# ---- packages ----------------------------------------------------------------------------------
# The one list of what building and testing needs. `make deps` installs what is missing, and is quiet offline when nothing is. RUNLEVEL=1: no
# service is to be started (dockerd, containerd).
PACKAGES := gcc make git libc6-dev libevent-dev protobuf-compiler nanopb libnanopb-dev libcap-dev libseccomp-dev \
	libjson-c-dev libprotobuf-c-dev libzstd-dev protobuf-c-compiler libcmocka-dev busybox-static bats jq perl clang-format \
	cppcheck debootstrap iproute2 util-linux procps python3-protobuf bash binutils \
	qemu-system-x86 kmod cpio xz-utils zstd apparmor conmon podman uidmap tmux strace \
	clang clang-tidy libclang-rt-dev llvm mandoc man-db zsh fish lintian \
	runc docker.io containerd buildah btrfs-progs
.PHONY: deps
deps: ## install the packages that building and testing need (root; nothing to do when they are there)
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then echo "installing: $$missing"; apt-get update -q && \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; fi

# ---- tests -------------------------------------------------------------------------------------
# What a checked run needs is built first, each flavour by a make of its own; tests/run then runs everything and counts.
# T=PATTERN keeps the tests whose file name has it; THOLE_LONG=1 (check-long) takes the full figures; MUST_RUN=1 makes a skip of
# what the lane provides a failure. The last line is always "N passed, N failed, N skipped".
SANITIZERS := address,undefined
LANE       ?= native
JOBS       ?= $(shell nproc)
# Only where no make above us has said how many.
PARALLEL    = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))
RUN         = BUILD='$(abspath $(BUILD))' tests/run --lane $(LANE) $(if $(T),--only '$(T)')

# Each unit test is a program of its own: its object, and from the archives what it calls.
UNIT     := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(UNIT_SRC))
UNIT_LIB := $(OBJ)/libclient.a $(OBJ)/libshim.a $(OBJ)/libcommon.a

$(OBJ)/libclient.a: $(filter-out $(OBJ)/client/main.o,$(CLIENT_OBJ))
$(OBJ)/libshim.a: $(filter-out $(OBJ)/shim/main.o,$(SHIM_OBJ))
$(OBJ)/libcommon.a: $(COMMON_OBJ)
$(UNIT_LIB):
	@rm -f $@
	@ar rcs $@ $^

$(OUT)/unit/%: $(OBJ)/tests/unit/%.o $(UNIT_LIB)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CFLAGS) $(filter-out -static,$(LDFLAGS)) -o $@ $< -Wl,--start-group $(UNIT_LIB) -Wl,--end-group -lcmocka $(LIBS_ALL)

# Probes run inside containers, so they bring everything with them.
PROBES := $(patsubst tests/live/probes/%.c,$(BUILD)/probes/%,$(PROBE_SRC))
$(BUILD)/probes/start: common/start.c
$(BUILD)/probes/start: PROBE_CFLAGS := -fstack-protector-strong
$(BUILD)/probes/%: tests/live/probes/%.c tests/live/probes/probe.h
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) -D_GNU_SOURCE -I. -std=gnu17 -O2 -g $(WARN) $(PROBE_CFLAGS) -static -o $@ $<

# What the benchmarks bring with them.
$(BUILD)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) -D_GNU_SOURCE -std=gnu17 -O2 -g $(WARN) -static -o $@ $<

# The rows of the conformance table that come from the client's own tables.
$(BUILD)/conform/flags: $(OBJ)/tests/conform/flags.o $(OBJ)/libclient.a $(OBJ)/libcommon.a
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(OBJ)/libclient.a $(OBJ)/libcommon.a -Wl,--end-group $(LIBS_CLIENT)

# Fuzz targets are linked with clang's fuzzer, and with what they share.
FUZZ_SHARED := fuzz container
FUZZ_NAMES  := $(filter-out $(FUZZ_SHARED),$(patsubst tests/fuzz/%.c,%,$(FUZZ_SRC)))
FUZZERS     := $(addprefix $(BUILD)/fuzz/,$(FUZZ_NAMES))
ifdef FUZZ
$(FUZZERS): $(BUILD)/fuzz/%: $(OBJ)/tests/fuzz/%.o $(FUZZ_SHARED:%=$(OBJ)/tests/fuzz/%.o) $(UNIT_LIB)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(UNIT_LIB) -Wl,--end-group $(LIBS_ALL)
endif

.SECONDARY: $(call objs,$(UNIT_SRC) tests/conform/flags.c) $(call objs,$(FUZZ_SRC))
.PHONY: unit probes fuzzers build-unit build-live build-fuzz build-faults prepare check check-long check-unit check-live check-san check-interop check-vm check-fuzz fuzz lint
unit: $(UNIT)
probes: $(PROBES)
fuzzers: $(FUZZERS)
build-fuzz:
	@$(MAKE) --no-print-directory $(PARALLEL) FUZZ=1 fuzzers
build-unit:
	@$(MAKE) --no-print-directory $(PARALLEL) SAN=$(SANITIZERS) unit all
build-faults:
	@$(MAKE) --no-print-directory $(PARALLEL) FAULTS=1 all
build-live: all probes docs $(BUILD)/conform/flags

# What the live tests fetch: done first, where it has all the time it needs. What fails here is told by the tests that need it.
prepare: build-live
	-@BUILD='$(abspath $(BUILD))' contrib/install-criu
	-@BUILD='$(abspath $(BUILD))' tests/live/make-debian-root > /dev/null
	-@BUILD='$(abspath $(BUILD))' tests/interop/build-previous

check: deps ## everything that CI runs: unit tests under sanitizers, live tests, lint
	@$(MAKE) --no-print-directory $(GEN) $(BUILD)/version.h
	@$(MAKE) --no-print-directory $(PARALLEL) build-live build-unit build-fuzz build-faults
	@$(MAKE) --no-print-directory prepare
	@$(RUN) unit lint fuzz live san interop vm

check-long: ## the same with full figures: kill moments, gigabytes, storms
	@THOLE_LONG=1 $(MAKE) --no-print-directory check

check-unit: build-unit ## unit tests under ASan and UBSan (T=pattern)
	@$(RUN) unit

check-live: prepare build-faults ## live tests on the static build (T=pattern)
	@$(RUN) live

check-san: build-live build-unit ## some of the live tests on the build with sanitizers (T=pattern)
	@$(RUN) san

check-interop: prepare ## below podman, docker, containerd, buildah and conmon (T=pattern)
	@$(RUN) interop

check-vm: build-live ## in virtual machines: cgroup v2, AppArmor, systemd; THOLE_LONG=1 for all of it (T=pattern)
	@$(RUN) vm

check-fuzz: build-fuzz ## each fuzz target for some seconds (T=pattern)
	@$(RUN) fuzz

# T is a time here: make fuzz T=60 F=config
fuzz: build-fuzz ## each fuzz target for T=SECONDS (60); F=NAME: that one; finds are kept below build/fuzz
	@BUILD='$(abspath $(BUILD))' tests/fuzz/run --seconds $(or $(T),60) $(or $(F),$(FUZZ_NAMES))

lint: build-live ## format, cppcheck, clang-tidy, which floor includes which, no file-level state
	@$(RUN) lint

# What the conformance table says of results comes from here: all of it, or T=pattern. The table itself needs no run.
.PHONY: conform conform-table
conform: prepare build-unit ## run the tests that the conformance table names, take their results (T=pattern)
	@rm -f $(BUILD)/conform/record
	-@$(RUN) --marked --record '$(abspath $(BUILD))/conform/record' $(or $(SUITES),unit live vm)
	@BUILD='$(abspath $(BUILD))' tests/conform/table --take $(BUILD)/conform/record

.PHONY: interop
interop: prepare ## run the interop tests, take their results into tests/interop/INTEROP.md
	@rm -f $(BUILD)/interop-record
	-@$(RUN) --record '$(abspath $(BUILD))/interop-record' interop
	@tests/interop/table --take $(BUILD)/interop-record

conform-table: build-live ## write tests/conform/CONFORMANCE.md anew
	@BUILD='$(abspath $(BUILD))' tests/conform/table

.PHONY: demo bench criu debian-root
demo: deps build-live ## the main job on the terminal, step by step, whatever dies meanwhile
	@BUILD='$(abspath $(BUILD))' contrib/install-criu
	@BUILD='$(abspath $(BUILD))' contrib/demo

bench: build-live $(BUILD)/bench/floor $(BUILD)/bench/took ## beside crun, runc and conmon: starts, questions, logs, memory, checkpoints; a table and a plot in build/bench (QUICK=1: two minutes)
	@BUILD='$(abspath $(BUILD))' QUICK='$(QUICK)' tests/bench/run

criu: ## build/criu/bin/criu: a criu that works on this kernel
	@BUILD='$(abspath $(BUILD))' contrib/install-criu

debian-root: ## build/debian-root: a small Debian with redis-server, for the tests
	@BUILD='$(abspath $(BUILD))' tests/live/make-debian-root

# ---- installation ------------------------------------------------------------------------------
MANDIR  ?= $(PREFIX)/share/man
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
DEB     ?= $(BUILD)/thole_$(VERSION)_$(shell dpkg --print-architecture 2>/dev/null).deb

.PHONY: install uninstall deb clean help
install: all docs ## install below $(DESTDIR)$(PREFIX): bin/thole, bin/thole-oci, libexec/thole/thole-shim, libexec/thole/thole-keeper, man pages, completions
	install -D -m 0755 $(OUT)/thole $(DESTDIR)$(PREFIX)/bin/thole
	ln -sf thole $(DESTDIR)$(PREFIX)/bin/thole-oci
	install -D -m 0755 $(OUT)/thole-shim $(DESTDIR)$(PREFIX)/libexec/thole/thole-shim
	install -D -m 0755 $(OUT)/thole-keeper $(DESTDIR)$(PREFIX)/libexec/thole/thole-keeper
	install -d $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR)
	install -m 0644 $(DOCS)/man/*.1 $(DESTDIR)$(MANDIR)/man1
	install -m 0644 $(DOCS)/man/*.8 $(DESTDIR)$(MANDIR)/man8
	install -m 0644 $(DOCS)/completions/thole.bash $(DESTDIR)$(BASHDIR)/thole
	ln -sf thole $(DESTDIR)$(BASHDIR)/thole-oci
	install -m 0644 $(DOCS)/completions/_thole $(DESTDIR)$(ZSHDIR)/_thole
	install -m 0644 $(DOCS)/completions/thole.fish $(DESTDIR)$(FISHDIR)/thole.fish
	ln -sf thole.fish $(DESTDIR)$(FISHDIR)/thole-oci.fish

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/thole $(DESTDIR)$(PREFIX)/bin/thole-oci $(DESTDIR)$(PREFIX)/libexec/thole/thole-shim $(DESTDIR)$(PREFIX)/libexec/thole/thole-keeper
	rm -f $(DESTDIR)$(MANDIR)/man1/thole.1 $(DESTDIR)$(MANDIR)/man1/thole-*.1 $(DESTDIR)$(MANDIR)/man8/thole-shim.8
	rm -f $(DESTDIR)$(BASHDIR)/thole $(DESTDIR)$(BASHDIR)/thole-oci $(DESTDIR)$(ZSHDIR)/_thole
	rm -f $(DESTDIR)$(FISHDIR)/thole.fish $(DESTDIR)$(FISHDIR)/thole-oci.fish
	-rmdir $(DESTDIR)$(PREFIX)/libexec/thole

deb: all docs ## a Debian package: build/thole_VERSION_ARCH.deb (DEB=FILE)
	+@contrib/make-deb '$(DEB)' BUILD='$(BUILD)'

clean: ## remove build/ (but not what was downloaded: build/criu, build/debian-root)
	rm -rf $(BUILD)/previous
	rm -rf $(BUILD)/obj $(BUILD)/proto $(BUILD)/thole* $(BUILD)/san $(BUILD)/dynamic $(BUILD)/faults $(BUILD)/probes $(BUILD)/unit $(BUILD)/version* \
		$(BUILD)/tables $(BUILD)/docs $(FUZZERS)

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16
