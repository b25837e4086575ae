package main

// A builtin is an adapter that comes with the program.
type builtin struct {
	script    string   // for sh
	oomKilled bool     // the kubelet is to say so
	env       []string // for the reporter
}

// publish is what an adapter in shell does with its result: all of it appears
// at RESULTS_PATH at once, readable for the reporter's user.
const publish = `
tmp=$(mktemp "${RESULTS_PATH%/*}/.result.XXXXXX")
cat >"$tmp"
chmod 644 "$tmp"
mv "$tmp" "$RESULTS_PATH"
`

var builtins = map[string]builtin{
	"success": {script: `
echo "checking the quota of project p-1"
cat <<'END' | {
{"status": "success", "reason": "ValidationPassed", "message": "All 12 checks passed", "details": {"checks": 12}}
END` + publish + `}`},
	"failure": {script: `
echo "checking the quota of project p-1"
cat <<'END' | {
{"status": "failure", "reason": "QuotaExceeded", "message": "CPU quota of project p-1 is used up: 24 of 24"}
END` + publish + `}`},
	"crash": {script: `
echo "checking the quota of project p-1"
echo "panic: quota API unreachable" >&2
exit 1`},
	"oom": {oomKilled: true, script: `
echo "reading all of it into memory"
kill -KILL $$`},
	"timeout": {env: []string{"MAX_WAIT_TIME_SECONDS=3", "POLL_INTERVAL_SECONDS=1"}, script: `
echo "waiting for a quota API that never answers"
exec sleep 3600`},
	"invalid": {script: `
echo "writing a result that is none"
echo '{"status": "Success!", "reason": ValidationPassed}' >"$RESULTS_PATH"`},
	"missing": {script: `
echo "all is well, but nothing is written"`},
}
