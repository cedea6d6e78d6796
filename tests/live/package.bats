# SPDX-License-Identifier: Apache-2.0
# needs: root dpkg
# What `make deb` makes: a Debian package that installs, works and goes without a trace.
load lib

setup_file() {
	local build=${BUILD:-$BATS_TEST_DIRNAME/../../build}
	command -v dpkg-deb > /dev/null || return 0
	DEB=$BATS_FILE_TMPDIR/thole.deb
	export DEB
	make -s -C "$BATS_TEST_DIRNAME/../.." deb BUILD="$(realpath "$build")" DEB="$DEB" > "$BATS_FILE_TMPDIR/make" 2>&1 ||
		{ cat "$BATS_FILE_TMPDIR/make" >&2; return 1; }
}

# A root without anything but dpkg's own files: the package needs nothing else.
setup_test() {
	mkdir -p "$T/root/var/lib/dpkg/info" "$T/root/var/lib/dpkg/updates"
	touch "$T/root/var/lib/dpkg/status"
}

in_root() { dpkg --root="$T/root" --log=/dev/null "$@"; }

files() { (cd "$T/root" && find . -path ./var/lib/dpkg -prune -o -print | sort); }

@test "the package installs, its programs run, and after its removal nothing is left" {
	local before
	before=$(files)
	in_root -i "$DEB" > "$T/out" 2>&1 || fail "$(cat "$T/out")"
	equal "$(in_root --verify thole)" ''
	contains "$(chroot "$T/root" /usr/bin/thole version)" "$(cat "$TREE/VERSION")"
	# It finds its shim.
	chroot "$T/root" /usr/bin/thole-oci features | jq -e .mountOptions > "$T/out"
	# Installed over itself.
	in_root -i "$DEB" > "$T/out" 2>&1
	in_root --purge thole > "$T/out" 2>&1 || fail "$(cat "$T/out")"
	# The directories that dpkg does not own it leaves.
	equal "$(files | grep -vxE '\./(var|var/lib)')" "$(echo "$before" | grep -vxE '\./(var|var/lib)')"
}

@test "the package has a man page, compressed, for each command, completions where they are looked for, and says what it is" {
	local cmd lib
	dpkg-deb -c "$DEB" > "$T/list"
	for cmd in $("$THOLE" help | sed -nE 's/^  ([a-z-]+) .*/\1/p') oci; do
		grep -q " ./usr/share/man/man1/thole-$cmd.1.gz" "$T/list" || fail "no page of $cmd"
	done
	grep -q ' ./usr/share/bash-completion/completions/thole$' "$T/list"
	grep -q ' ./usr/share/zsh/vendor-completions/_thole$' "$T/list"
	grep -q ' ./usr/share/fish/vendor_completions.d/thole.fish$' "$T/list"
	equal "$(awk '$2 != "root/root"' "$T/list")" '' 'owners'
	equal "$(dpkg-deb -f "$DEB" Version)" "$(cat "$TREE/VERSION")"
	matches "$(dpkg-deb -f "$DEB" Built-Using)" 'glibc \(= .*json-c'
	# Whatever is linked statically has its license named; Debian's glibc is the C library, its libcap2 libcap.
	dpkg-deb --fsys-tarfile "$DEB" | tar -xO ./usr/share/doc/thole/copyright | tr -s " \n" " " > "$T/copyright"
	for lib in $(dpkg-deb -f "$DEB" Built-Using | sed -E 's/ \([^)]*\),?//g; s/\<glibc\>/library/; s/libcap2/libcap/'); do
		grep -qE "\<$lib \([A-Za-z]" "$T/copyright" || fail "copyright does not name $lib"
	done
	# The same tree gives the same package.
	make -s -C "$TREE" deb BUILD="$(realpath "$BUILD")" DEB="$T/again.deb" > "$T/out"
	cmp "$DEB" "$T/again.deb"
}

@test "lintian has nothing to say of the package" {
	needs lintian
	lintian --allow-root --no-cfg --fail-on none --suppress-tags bogus-mail-host,mail-address-loops-or-bounces "$DEB" > "$T/out" 2>&1
	equal "$(grep -E '^[EW]:' "$T/out")" ''
}
