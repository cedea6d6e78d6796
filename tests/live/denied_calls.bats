# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# Below a seccomp filter that has not heard of newer system calls, as old profiles of container managers have it: what can be done without them is, and what cannot says which one is missing.
load lib

setup_test() {
	bundle
	args sh -c 'echo up; exec sleep 1000'
}

below() { # ERRNO CALLS CMD...: thole's command below such a filter
	"$PROBES/deny" "$1" "$2" "$THOLE" --root "$ROOT" "${@:3}"
}

# All that there is to do with a container, below the filter.
lives() { # ERRNO CALLS
	local calls=$2 error=$1
	below "$error" "$calls" create --bundle "$B" "$c" < /dev/null
	below "$error" "$calls" start "$c"
	wait_for logged "$c" up
	equal "$(below "$error" "$calls" exec "$c" echo said < /dev/null)" said
	kill -KILL "$(shim_of "$c")"
	below "$error" "$calls" recover "$c"
	equal "$(below "$error" "$calls" exec "$c" echo again < /dev/null)" again
	below "$error" "$calls" kill "$c" KILL
	exits 137 below "$error" "$calls" wait "$c"
	below "$error" "$calls" delete "$c"
	nothing_left || wait_for nothing_left
}

@test "without clone3 and close_range, with ENOSYS and with EPERM: create, start, exec, adoption, kill, delete" {
	lives ENOSYS clone3,close_range
	lives EPERM clone3,close_range
}

@test "without faccessat2, copy_file_range, renameat2, epoll_pwait2 and pidfd_getfd" {
	lives ENOSYS faccessat2,copy_file_range,epoll_pwait2,pidfd_getfd,renameat2
	lives EPERM faccessat2,copy_file_range,epoll_pwait2,pidfd_getfd,renameat2
}

@test "without close_range no descriptor of the caller's gets into the container" {
	args /usr/bin/selfexe
	bash -c 'exec 11< / 12< /etc 900< /; exec "$@" < /dev/null' sh "$PROBES/deny" ENOSYS clone3,close_range "$THOLE" --root "$ROOT" run --bundle "$B" "$c" > "$T/out"
	equal "$(tail -1 "$T/out")" 'writable=0 outside=0'
}

@test "without clone3 in a user namespace and with time offsets" {
	owned_rootfs 100000 100000
	chmod 755 "$T"
	config '.linux.namespaces += [{ type: "user" }, { type: "time" }] | .linux.timeOffsets = { boottime: { secs: 1000 } } |
		.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
	lives EPERM clone3
}

@test "what cannot be done without a call names it, and leaves nothing" {
	local call e
	for call in openat2 open_tree move_mount mount_setattr fsopen; do
		for e in ENOSYS EPERM; do
			refused 125 "$call: (Function not implemented|Operation not permitted)" below $e $call run -d --bundle "$B" "$c"
			wait_for nothing_left
		done
	done
	refused 125 'execute the shim' below ENOSYS execveat run -d --bundle "$B" "$c"
	wait_for nothing_left
}

@test "without pidfds a container is not taken for one that has ended" {
	thole run -d --bundle "$B" "$c" < /dev/null > "$T/out"
	kill -KILL "$(shim_of "$c")"
	local e
	for e in ENOSYS EPERM; do
		refused 1 'pidfd_open: (Function not implemented|Operation not permitted)' below $e pidfd_open delete --force "$c"
		refused 1 'pidfd_open: ' below $e pidfd_open kill "$c" KILL
		is "$c" running
	done
	pid_gone "$(init_of "$c")" && fail 'it has been killed'
	refused 1 'pidfd_send_signal: ' below EPERM pidfd_send_signal kill "$c" KILL
	# The shim that has adopted it there cannot end it either; the next one can.
	kill -KILL "$(shim_of "$c")"
}
