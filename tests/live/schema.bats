# SPDX-License-Identifier: Apache-2.0
# needs: root
# Every field of the specification is known to the reader: none is passed over in silence.
load lib

# "ROW PATH CONFIG" with tabs: the specification's example, with a value of a wrong type in the field of that row. What an entry needs besides
# is put beside it.
wrong_configs() {
	"$TREE/tests/conform/table" --rows | grep -v ' ' | grep -E '[.]|^(ociVersion|hostname|domainname)$' |
		jq -Rr --slurpfile good "$TREE/tests/fixtures/oci/good/spec-example.json" '
			{ memoryPolicy: { mode: "MPOL_DEFAULT" }, personality: { domain: "LINUX" }, scheduler: { policy: "SCHED_OTHER" },
			  ioPriority: { class: "IOPRIO_CLASS_BE" }, consoleSize: { height: 1, width: 1 } } as $more |
			{ containerID: 0, hostID: 0, size: 1 } as $ids | { major: 8, minor: 0, rate: 1 } as $throttle |
			. as $row | gsub("\\[\\]"; ".0") | split(".") | map(if . == "0" then 0 elif . == "*" then "x" else . end) as $path |
			(if $path[-1] == 0 then $path[:-2] else $path[:-1] end) as $parent | ($parent | map(strings) | last // "") as $object |
			($more[$object] // (if $object | endswith("Mappings") then $ids elif $object | startswith("throttle") then $throttle
				elif $row | startswith("linux.seccomp.syscalls[].args") then { index: 0, value: 0, op: "SCMP_CMP_EQ" } else {} end)) as $besides |
			$good[0] | (if $parent == [] or ($besides | length) == 0 then . else setpath($parent; $besides) end) |
			setpath($path; { wrong: 1 }) | tojson |
			[$row, ($path | map(if type == "number" then "(\\[\(.)\\])?" else "\\.\(.)" end) | add | .[2:]), .] | join("\t")'
}

@test "every field of the specification: a value of a wrong type is refused by the field's path" {
	local n=0 line row path
	B=$T/b
	mkdir "$B"
	while IFS=$'\t' read -r row path line; do
		echo "$line" > "$B/config.json"
		refused 1 "^thole: $path[^ ]*: " thole create --bundle "$B" "$c" || fail "row $row"
		n=$((n + 1))
	done < <(wrong_configs)
	[ $n -gt 150 ]
}
