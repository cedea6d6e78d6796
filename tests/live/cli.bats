# SPDX-License-Identifier: Apache-2.0
# needs: root
# The command line itself: help, version, documentation that agrees with it, installation.
load lib

commands() {
	"$THOLE" help | sed -nE 's/^  ([a-z-]+) .*/\1/p'
}

# covers: thole --version, version
@test "version: the program's, with commit and specification" {
	"$THOLE" version > "$T/out"
	contains "$(cat "$T/out")" "$(cat "$TREE/VERSION")"
	contains "$("$THOLE" --version)" "$(cat "$TREE/VERSION")"
	matches "$(cat "$T/out")" 'spec'
	contains "$("$THOLE" --version | head -1)" 'thole version'
}

# covers: help
@test "help lists the commands, and each has help of its own" {
	local cmd
	for cmd in create start run state list kill delete spec logs attach wait version; do
		commands | grep -qx $cmd || fail "help does not list $cmd: $(commands)"
		"$THOLE" $cmd --help > "$T/out" 2> "$T/err"
		equal "$(cat "$T/err")" ''
		contains "$(cat "$T/out")" "thole $cmd"
		"$THOLE" help $cmd | cmp - "$T/out"
	done
	"$THOLE" --help > "$T/out"
	contains "$(cat "$T/out")" attach
}

@test "README's table has every command, and no other" {
	local cmd
	for cmd in $(commands); do
		grep -qE "^\| \`$cmd[ \`]" "$TREE/README.md" || fail "README's table has no $cmd"
	done
	for cmd in $(sed -nE 's/^\| `([a-z-]+)[ `].*/\1/p' "$TREE/README.md"); do
		commands | grep -qx "$cmd" || fail "README has $cmd, help has not"
	done
}

@test "README and the programs agree on options that the table names" {
	local cmd option
	while read -r cmd option; do
		"$THOLE" "$cmd" --help | grep -q -- "$option" || fail "README: $cmd $option; help does not know it"
	done < <(sed -nE 's/^\| `([a-z-]+) ([^`]*)`.*/\1 \2/p' "$TREE/README.md" | while read -r cmd rest; do
		grep -oE -- '--[a-z-]+' <<< "$rest" | sed "s/^/$cmd /"
	done)
}

@test "every message of the protocol is in PROTOCOL.md" {
	local m
	for m in $(sed -n '/^message Request/,/^}/s/^\t\t\([A-Z][A-Za-z]*\) .*/\1/p' "$TREE/proto/control.proto"); do
		grep -q "\`$m" "$TREE/proto/PROTOCOL.md" || fail "no $m in PROTOCOL.md"
	done
}

@test "no command, an unknown one" {
	local s=0
	"$THOLE" > "$T/out" 2> "$T/err" || s=$?
	equal $s 1
	[ -s "$T/err" ] || [ -s "$T/out" ]
	refused 1 'nonesuch' "$THOLE" nonesuch
}

# An answer that nobody can have got: one line says so, as cat and ls say it.
unheard() { # CMD...
	local s=0
	"$@" >&- 2> "$T/err" || s=$?
	equal $s 1 "$*"
	equal "$(cat "$T/err")" 'thole: cannot write to stdout: Bad file descriptor' "$*"
}

@test "a closed stdout: what prints an answer fails, what prints none does its work" {
	needs cgroup
	bundle
	args sleep 1000
	thole create --bundle "$B" "$c" < /dev/null >&-
	unheard thole state "$c"
	unheard thole list
	unheard thole ps "$c"
	unheard thole stats --no-stream "$c"
	unheard thole events --stats "$c"
	unheard thole check
	unheard thole features
	unheard thole version
	unheard thole version --shims
	unheard thole help
	unheard thole --help
	unheard thole --version
	unheard thole state --help
	thole start "$c" >&-
	thole pause "$c" >&-
	thole resume "$c" >&-
	is "$c" running
	thole kill "$c" KILL >&-
	exits 137 thole wait "$c" >&-
	thole delete "$c" >&-
	wait_for nothing_left
}

@test "a closed stdout: what a container writes goes nowhere, and it can write it" {
	needs cgroup
	bundle
	args sh -c 'echo lost || exit 9; exit 7'
	exits 7 thole run --bundle "$B" "$c" < /dev/null >&-
	exits 7 thole run --monitor foreign --bundle "$B" "$c" < /dev/null >&-
	thole run -d --stdio inherit --bundle "$B" "$c" < /dev/null >&-
	exits 7 thole wait "$c"
	thole delete "$c"
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null >&-
	exits 7 thole exec "$c" sh -c 'echo lost || exit 9; exit 7' < /dev/null >&-
	thole delete --force "$c"
}

# covers: spec, spec --bundle
@test "spec writes what runc spec writes, and does not overwrite" {
	mkdir "$T/s"
	cd "$T/s"
	"$THOLE" spec
	equal "$(jq -r '.process.args | join(" ")' config.json)" sh
	equal "$(jq -r .process.terminal config.json)" true
	equal "$(jq -r .root.readonly config.json)" true
	equal "$(jq -r .root.path config.json)" rootfs
	equal "$(jq -r '.process.rlimits[0] | "\(.type) \(.soft) \(.hard)"' config.json)" 'RLIMIT_NOFILE 1024 1024'
	equal "$(jq -r .process.noNewPrivileges config.json)" true
	equal "$(jq -r '.linux.resources.devices[0] | "\(.allow) \(.access)"' config.json)" 'false rwm'
	refused 1 'config.json' "$THOLE" spec
}

@test "spec agrees with runc's own" {
	needs runc
	mkdir "$T/s" "$T/r"
	"$THOLE" spec --bundle "$T/s"
	runc spec --bundle "$T/r"
	local f
	for f in .process .root .mounts .linux.resources .linux.readonlyPaths; do
		# Older versions of runc also write an ambient set.
		equal "$(jq -cS "$f" "$T/s/config.json")" "$(jq -cS "del(.process.capabilities.ambient) | $f" "$T/r/config.json")" "$f"
	done
	# Newer versions mask more.
	equal "$(jq -s '.[1].linux.maskedPaths - .[0].linux.maskedPaths' "$T/s/config.json" "$T/r/config.json")" '[]'
}

# covers: spec --rootless
@test "spec --rootless agrees with runc's own: the user namespace, the mappings, the host's network" {
	needs runc
	mkdir "$T/s" "$T/r"
	"$THOLE" spec --rootless --bundle "$T/s"
	runc spec --rootless --bundle "$T/r"
	local f
	for f in .process .root .mounts .linux.resources .linux.uidMappings .linux.gidMappings; do
		equal "$(jq -cS "$f" "$T/s/config.json")" "$(jq -cS "del(.process.capabilities.ambient) | $f" "$T/r/config.json")" "$f"
	done
	# Newer versions have a cgroup namespace too.
	equal "$(jq -c '[.linux.namespaces[].type] - ["cgroup"]' "$T/s/config.json")" "$(jq -c '[.linux.namespaces[].type] - ["cgroup"]' "$T/r/config.json")"
}

@test "install puts the programs where they find each other, uninstall takes them away" {
	needs cgroup-v1
	make -s -C "$TREE" BUILD="$BUILD" DESTDIR="$T/dest" PREFIX=/opt/x install > "$T/out" 2>&1 || fail "$(cat "$T/out")"
	[ -x "$T/dest/opt/x/bin/thole" ]
	[ -x "$T/dest/opt/x/libexec/thole/thole-shim" ]
	contains "$("$T/dest/opt/x/bin/thole-oci" --version)" "$(cat "$TREE/VERSION")"
	bundle
	args echo found
	equal "$(env -i "$T/dest/opt/x/bin/thole" --root "$ROOT" run --bundle "$B" "$c" < /dev/null)" found
	make -s -C "$TREE" BUILD="$BUILD" DESTDIR="$T/dest" PREFIX=/opt/x uninstall > "$T/out" 2>&1 || fail "$(cat "$T/out")"
	equal "$(find "$T/dest" -type f -o -type l)" ''
}

@test "THOLE_SHIM names the shim; a missing one is an error that names it" {
	needs cgroup-v1
	mkdir "$T/bin" "$T/elsewhere"
	cp "$THOLE" "$T/bin/thole"
	cp "$BIN/thole-shim" "$T/elsewhere/some-shim"
	bundle
	args echo found
	equal "$(THOLE_SHIM=$T/elsewhere/some-shim "$T/bin/thole" --root "$ROOT" run --bundle "$B" "$c" < /dev/null)" found
	refused 125 'thole-shim' "$T/bin/thole" --root "$ROOT" run --bundle "$B" "$c"
	THOLE_SHIM=/no/such/shim refused 125 '/no/such/shim' "$T/bin/thole" --root "$ROOT" run --bundle "$B" "$c"
}

@test "make help lists the targets" {
	make -s -C "$TREE" help > "$T/out"
	local t
	for t in all check check-long check-unit check-live lint demo bench install uninstall clean; do
		grep -q "^$t " "$T/out" || fail "no $t"
	done
}

@test "both programs are static" {
	not grep -q . <(ldd "$THOLE" 2> /dev/null | grep -v 'not a dynamic')
	not grep -q . <(ldd "$BIN/thole-shim" 2> /dev/null | grep -v 'not a dynamic')
}

@test "every flag that is known and not done is refused by its name" {
	local row command flag
	[ -x "$BUILD/conform/flags" ] || skip 'needs: build/conform/flags'
	while IFS=$'\t' read -r row kind; do
		command=${row%% --*} flag=--${row#* --}
		case $kind in
		'refused by name') refused 1 "$flag" "$THOLE_OCI" --root "$ROOT" "$command" "$flag" x ;;
		esac
	done < <("$BUILD/conform/flags")
}

@test "--debug says how long each phase of a launch took" {
	local what
	bundle
	args true
	thole --debug run --bundle "$B" "$c" < /dev/null 2> "$T/err"
	for what in config 'control groups' process 'init: mounts, devices, root' 'init: user, limits, program executed'; do
		grep -Eq "create '$c': $what \([0-9]+ us\)" "$T/err" || fail "$what: $(cat "$T/err")"
	done
}
