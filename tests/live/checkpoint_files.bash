# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What checkpoint_files*.bats share: a container whose root is its own, a set, and what of its files is to be seen.

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	SET=$T/set
	bundle
	owned_rootfs 0 0
	ROOTFS=$B/rootfs
}

teardown_test() {
	"$THOLE" --root "$ROOT" delete --force "$c" > /dev/null 2>&1 || true
	if mountpoint -q "$T/merged/small"; then umount -l "$T/merged/small"; fi
	if mountpoint -q "$T/merged"; then umount "$T/merged"; fi
	if mountpoint -q "$T/small"; then umount -l "$T/small"; fi
	if mountpoint -q "$T/again"; then umount "$T/again"; fi
	if mountpoint -q "$ROOTFS/etc/group"; then umount "$ROOTFS/etc/group"; fi
}

# Everything that is to be seen of a tree, a line for each of its files.
snapshot() { # DIR
	python3 - "$1" <<-'END'
		import hashlib, os, stat, sys
		top = sys.argv[1]
		first = {}
		def line(path):
		    st = os.lstat(path)
		    rel = os.path.relpath(path, top)
		    what = [rel, oct(st.st_mode), st.st_uid, st.st_gid]
		    if rel not in (".", "tmp"): what.append(st.st_mtime_ns)
		    if stat.S_ISREG(st.st_mode):
		        what += [st.st_size, hashlib.sha256(open(path, "rb").read()).hexdigest()]
		    if stat.S_ISLNK(st.st_mode): what.append(os.readlink(path))
		    if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode): what.append(st.st_rdev)
		    if not stat.S_ISDIR(st.st_mode) and st.st_nlink > 1:
		        what.append("same as " + first.setdefault((st.st_dev, st.st_ino), rel))
		    if not stat.S_ISLNK(st.st_mode):
		        what += [(x, os.getxattr(path, x)) for x in sorted(os.listxattr(path)) if not x.startswith("trusted.")]
		    print(*what)
		line(top)
		for where, dirs, files in os.walk(top):
		    dirs.sort()
		    for name in sorted(dirs + files): line(os.path.join(where, name))
	END
}

xattr() { python3 -c 'import os, sys; os.setxattr(sys.argv[1], sys.argv[2], sys.argv[3].encode())' "$@"; }

# A container that appends to a file of its root all the time, by an open descriptor.
writing() {
	args sh -c 'exec 5>> /journal; i=0; while :; do echo "n $i" >&5; i=$((i + 1)); usleep 5000; done'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for grep -q 'n 3' "$1/journal"
}

# One that has a file open to be read and written, whose size criu wants to be right.
holding() {
	args sh -c 'exec 5<> /tmp/held; echo before >&5; echo ready; while [ ! -e /go ]; do usleep 20000; done; cat /tmp/held; echo after >&5; exit 3'
	: > "$ROOTFS/tmp/held"
	thole run -d --keep --bundle "$B" "$c" < /dev/null
	wait_for logged "$c" ready
}

to_set() { timeout 120 "$THOLE" --root "$ROOT" checkpoint --to "$SET" "$@" "$c"; }
restore() { timeout 120 "$THOLE" --root "$ROOT" restore "$@" "$c" < /dev/null; }
capture() { jq -r .capture "$SET/latest/manifest.json"; }
nothing_hidden() { [ -z "$(find "$SET" -mindepth 1 -maxdepth 1 -name '.*')" ]; }

# An image whose archive is another one, its digests right.
with_archive() { # FILE
	rm -rf "$T/bad"
	cp -a "$SET/one" "$T/bad"
	cp "$1" "$T/bad/rootfs.tar"
	chmod 600 "$T/bad/rootfs.tar"
	jq -c --arg s "$(sha256sum < "$1" | cut -d ' ' -f 1)" --argjson n "$(stat -c %s "$1")" \
		'.size += $n - .files["rootfs.tar"].size | .files["rootfs.tar"] = { size: $n, sha256: $s } | .sha256 = ("0" * 64)' \
		"$T/bad/manifest.json" > "$T/lie"
	sed "s/0\{64\}/$(sha256sum < "$T/lie" | cut -d ' ' -f 1)/" "$T/lie" > "$T/bad/manifest.json"
}

# An archive made of what python's tarfile says: lines of a program that adds members to `a`, after the area's own entry.
archive() {
	python3 - "$T/archive" "$1" <<-'END'
		import io, sys, tarfile
		a = tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT)
		def add(name, type=tarfile.REGTYPE, data=b"", pax={}, **more):
		    m = tarfile.TarInfo(name)
		    m.type, m.size, m.pax_headers = type, len(data), dict(pax)
		    for k, v in more.items(): setattr(m, k, v)
		    a.addfile(m, io.BytesIO(data))
		D, L, S, C = tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE
		def area(name="root", destination="/", form="whole"):
		    add(name, D, mode=0o755, pax={"comment": "thole %s %s" % (form, destination)})
		exec(sys.argv[2])
		a.close()
	END
	# tarfile fills a block of 10 KiB; two empty blocks end what we write.
	python3 - "$T/archive" <<-'END'
		import sys
		d = open(sys.argv[1], "rb").read().rstrip(b"\0")
		n = (len(d) + 511) // 512 * 512
		open(sys.argv[1], "wb").write(d + bytes(n - len(d) + 1024))
	END
}
