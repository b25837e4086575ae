package command

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/env"
)

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	env := map[string]string{"RESULTS_PATH": path}
	for _, tt := range []struct {
		name, stdin string
		env         map[string]string
		args        []string
		want        string
	}{
		{"text", "", env, []string{"-status", "success", "-reason", "Ready", "-message", "m"}, `{"status":"success","reason":"Ready","message":"m"}`},
		{"all", `{"used": 24}`, env, []string{"-status=failure", "-reason", "QuotaExceeded", "-message", `say "24" <of> 24`, "-details", "-"},
			`{"status":"failure","reason":"QuotaExceeded","message":"say \"24\" <of> 24","details":{"used":24}}`},
		{"path", "", map[string]string{"RESULTS_PATH": "/no/such/directory/file"}, []string{"-status", "success", "-reason", "Ready", "-message", "m", "-path", path}, `{"status":"success","reason":"Ready","message":"m"}`},
		{"a path with a line break", "", map[string]string{"RESULTS_PATH": path + "\n"}, []string{"-status", "success", "-reason", "Ready", "-message", "m"}, `{"status":"success","reason":"Ready","message":"m"}`},
		{"a path of white space", "", env, []string{"-status", "success", "-reason", "Ready", "-message", "m", "-path", " "}, `{"status":"success","reason":"Ready","message":"m"}`},
		{"DOS line ends", "", env, []string{"-path", path + "\r", "-reason", "Ready\r", "-message", "m\r", "-status", "success\r"}, `{"status":"success","reason":"Ready","message":"m"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := runCommand(tt.stdin, tt.env, append([]string{"write"}, tt.args...)...)
			if diff := cmp.Diff(ran{}, r); diff != "" {
				t.Errorf("run (-want +got):\n%s", diff)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want+"\n", string(got)); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode() != 0o644 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
		})
	}
}

// TestWriteReportComesFirst: what is wrong with a message or with details does
// not cost the result.
func TestWriteReportComesFirst(t *testing.T) {
	t.Chdir(t.TempDir())
	tooMany := `"` + strings.Repeat("x", contract.MaxFileSize-20) + `"`
	for name, content := range map[string]string{
		"error.txt": "\n  no route to host\r\n", "empty": " \n", "dos.json": "\ufeff{\r\n\"used\": 24}\r\n", "quotes.json": "{\n  'used': 24\n}",
		"half.json": `{"used":`, "nul.json": "{\"used\": 24}\x00\x00", "marks.json": "\ufeff\ufeff{}", "many.json": tooMany,
		"huge.json": strings.Repeat(" ", contract.MaxFileSize) + "1", "blank": strings.Repeat(" ", contract.MaxFileSize+1), "deep.json": strings.Repeat("[", 10000) + strings.Repeat("]", 10000),
	} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const (
		bare       = `{"status":"failure","reason":"ProbeFailed"}`
		without    = "; the result is written without details\n"
		nameAFile  = "    hint: name a file that can be read, or - for standard input\n"
		none       = "warning: message: missing; the Job will say \"No message provided\"\n"
		cut        = "warning: message: 100000 characters; it is cut to 1024\n    hint: put the rest under \"details\"\n"
		unreadable = `{"status":"failure","reason":"ProbeFailed","message":"The message could not be read: -message-file `
	)
	long := strings.Repeat("d", 100<<10)
	for _, tt := range []struct {
		name, stdin string
		args        []string
		file        string
		stderr      string // without the command's name; the hint's beginning
	}{
		{"a message's file", "", []string{"-message-file", "error.txt"}, `{"status":"failure","reason":"ProbeFailed","message":"no route to host"}`, ""},
		{"200 kB", strings.Repeat("\u00e9", 100e3), []string{"-message-file=-"}, `{"status":"failure","reason":"ProbeFailed","message":"` + strings.Repeat("\u00e9", 1024) + `"}`, cut},
		{"nothing in it", "", []string{"-message-file", "empty"}, bare, none},
		{"no such file", "", []string{"-message-file", "missing"}, unreadable + `missing: no such file or directory"}`,
			"-message-file missing: warning: no such file or directory; the message says so\n" + nameAFile},
		{"the message in place of its file's name", "", []string{"-message-file", long}, unreadable + long[:64] + `…: file name too long"}`,
			"-message-file " + long[:64] + "\u2026: warning: file name too long; the message says so\n" + nameAFile},
		{"a directory", "", []string{"-message-file", "/"}, unreadable + `/: is a directory"}`,
			"-message-file /: warning: is a directory; the message says so\n" + nameAFile},
		{"both", `{"used": 24}`, []string{"-message-file", "error.txt", "-details", "-"}, `{"status":"failure","reason":"ProbeFailed","message":"no route to host","details":{"used":24}}`, ""},
		{"details as DOS has them", "", []string{"-details", "dos.json"}, `{"status":"failure","reason":"ProbeFailed","details":{"used":24}}`, none},
		{"details are no JSON", "", []string{"-details", "quotes.json"}, bare,
			"-details quotes.json:2:3: warning: not valid JSON: invalid character '\\'' looking for beginning of object key string" + without + "    hint: use \" instead of '\n"},
		{"half of the details", "", []string{"-details", "half.json"}, bare,
			"-details half.json:1:9: warning: not valid JSON: unexpected end" + without + "    hint: write all of the file: "},
		{"details and NUL bytes", "", []string{"-details", "nul.json"}, bare,
			"-details nul.json:1:13: warning: not valid JSON: invalid character '\\x00' after top-level value" + without + "    hint: leave the NUL bytes after it out; "},
		{"details with two byte order marks", "", []string{"-details", "marks.json"}, bare,
			"-details marks.json:1:1: warning: not valid JSON: invalid character '\u00ef' looking for beginning of value" + without + "    hint: leave the second byte order mark out\n"},
		{"no details", "", []string{"-details", "-"}, bare, "-details -: warning: empty" + without + "    hint: write JSON, null at least\n"},
		{"details too large", "", []string{"-details", "huge.json"}, bare,
			"-details huge.json:1:1048577: warning: larger than 1048576 bytes" + without + "    hint: shorten \"details\", or keep them elsewhere\n"},
		{"nothing, and too much of it", "", []string{"-details", "blank"}, bare,
			"-details blank:1:1048577: warning: larger than 1048576 bytes" + without + "    hint: shorten \"details\", or keep them elsewhere\n"},
		{"details too large with the rest", "", []string{"-details", "many.json"}, bare,
			"-details many.json: warning: result: larger than 1048576 bytes" + without + "    hint: shorten them, or keep them elsewhere\n"},
		{"details too deep", "", []string{"-details", "deep.json"}, bare, "-details deep.json: warning: result: "},
		{"details in place of their file's name", "", []string{"-details", `{"used": 24}`}, bare,
			`-details {"used": 24}: warning: no such file or directory` + without + nameAFile},
		{"neither", "", []string{"-message-file", "missing", "-details", "missing"}, unreadable + `missing: no such file or directory"}`,
			"-message-file missing: warning: no such file or directory; the message says so\n" + nameAFile +
				"status-reporter write: -details missing: warning: no such file or directory" + without + nameAFile},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := runCommand(tt.stdin, nil, append([]string{"write", "-path", "r.json", "-status", "failure", "-reason", "ProbeFailed"}, tt.args...)...)
			if r.Code != 0 || r.Stdout != "" {
				t.Errorf("exit code %d, stdout %q", r.Code, r.Stdout)
			}
			if tt.stderr != "" {
				tt.stderr = "status-reporter write: " + tt.stderr
			}
			if !strings.HasPrefix(r.Stderr, tt.stderr) || tt.stderr == "" && r.Stderr != "" {
				t.Errorf("stderr (-want +got):\n%s", cmp.Diff(tt.stderr, r.Stderr))
			}
			got, err := os.ReadFile("r.json")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.file+"\n", string(got)); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
		})
	}
}

// input is standard input that gives the same for ever, or until it fails.
type input struct {
	content string
	most    int
	fault   error
	read    int
}

func (i *input) Read(p []byte) (int, error) {
	if i.fault != nil && i.read >= i.most {
		return 0, i.fault
	}
	n := 0
	for n < len(p) && (i.fault == nil || i.read+n < i.most) {
		n += copy(p[n:], i.content)
	}
	i.read += n
	return n, nil
}

// TestWriteStandardInput that has no end, or breaks off.
func TestWriteStandardInput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	for name, tt := range map[string]struct {
		stdin  *input
		flag   string
		file   string
		stderr string
	}{
		"endless message": {&input{content: "y\n"}, "-message-file", `{"status":"success","message":"y` + strings.Repeat(`\ny`, 511) + `"}`,
			"warning: message: 1048577 characters; it is cut to 1024\n"},
		"endless details": {&input{content: "1"}, "-details", `{"status":"success"}`, "larger than 1048576 bytes; the result is written without details"},
		"message breaks off": {&input{content: "half", most: 4, fault: syscall.EIO}, "-message-file", `{"status":"success","message":"half"}`,
			"-message-file -: warning: input/output error\n"},
		"details break off": {&input{content: "1", most: 4, fault: syscall.EIO}, "-details", `{"status":"success"}`,
			"-details -: warning: input/output error; the result is written without details"},
	} {
		var stderr bytes.Buffer
		p := Process{Getenv: func(string) string { return "" }, Stdin: tt.stdin, Stdout: io.Discard, Stderr: &stderr}
		if code := Run([]string{"write", "-status", "success", "-path", path, tt.flag, "-"}, p); code != 0 {
			t.Errorf("%s: exit code %d", name, code)
		}
		if !strings.Contains(stderr.String(), tt.stderr) || tt.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%s: stderr %q, want %q", name, stderr.String(), tt.stderr)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != tt.file+"\n" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, cmp.Diff(tt.file+"\n", string(got)))
		}
		if tt.stdin.read > 2*contract.MaxFileSize {
			t.Errorf("%s: %d bytes were read", name, tt.stdin.read)
		}
	}
}

// TestWriteWarnsAfterwards: standard error may be closed, which ends a process.
func TestWriteWarnsAfterwards(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	written := false
	p := Process{Getenv: func(string) string { return "" }, Stderr: writerFunc(func([]byte) {
		_, err := os.Stat(path)
		written = err == nil
	})}
	if code := Run([]string{"write", "-status", "success", "-path", path, "-details", "/no/such/file"}, p); code != 0 || !written {
		t.Errorf("exit code %d, result written before the warning: %v", code, written)
	}
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

// TestWriteExitCode: after a failure the code that is asked for, and never where the
// report was lost.
func TestWriteExitCode(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "result.json")
	for _, tt := range []struct {
		args string
		want int
		file string // empty: nothing is written
	}{
		{"-status failure -exit-code 4", 4, `{"status":"failure"}`},
		{"-status failure -exit-code=125", 125, `{"status":"failure"}`},
		{"-exit-code 4\r -status failure\r", 4, `{"status":"failure"}`},
		{"-status failure -exit-code 0", 0, `{"status":"failure"}`},
		{"-status failure", 0, `{"status":"failure"}`},
		{"-status success -exit-code 4", 0, `{"status":"success"}`},
		{"-status failure -exit-code 4 -details no-such-file", 4, `{"status":"failure"}`},
		{"-status failure -exit-code 4 -path " + dir + "/none/result.json", exitFailure, ""},
		{"-status failure -exit-code 126", exitUsage, ""},
		{"-status failure -exit-code -1", exitUsage, ""},
		{"-status failure -exit-code four", exitUsage, ""},
		{"-status failure -exit-code", exitUsage, ""},
		{"-status maybe -exit-code 4", exitUsage, ""},
	} {
		t.Run(tt.args, func(t *testing.T) {
			os.Remove(path)
			r := runCommand("", map[string]string{"RESULTS_PATH": path}, append([]string{"write"}, strings.Split(tt.args, " ")...)...)
			got, _ := os.ReadFile(path)
			if r.Code != tt.want || strings.TrimSpace(string(got)) != tt.file {
				t.Errorf("exit code %d, file %s; want %d, %s\n%s", r.Code, got, tt.want, tt.file, r.Stderr)
			}
		})
	}
}

// TestWriteWarnsOfText: what the Job will not show as it was given is told, as
// validate tells it, when it is written.
func TestWriteWarnsOfText(t *testing.T) {
	const noReason, noMessage = `reason: missing; the Job will say "NoReasonProvided"`, `message: missing; the Job will say "No message provided"`
	path := filepath.Join(t.TempDir(), "result.json")
	for _, tt := range []struct {
		reason, message string
		want            []string
	}{
		{"Ready", "All is well", nil},
		{"Ready\r", "All is well\n", nil}, // as scripts and files end
		{"", "", []string{noReason, noMessage}},
		{" ", "m", []string{noReason}},
		{"not ready", "m", []string{"reason: not one word; programs match on it"}},
		{strings.Repeat("R", 129), "m", []string{"reason: 129 characters; it is cut to 128"}},
		{strings.Repeat("R", 128), strings.Repeat("m", 1024), nil},
		{"Ready", strings.Repeat("m", 1025), []string{"message: 1025 characters; it is cut to 1024"}},
		{"Ready", "\x1b[31mred\x1b[0m", []string{"message: control characters and bidirectional overrides are removed: 2"}},
		{"Ready", "half a character \xc3", []string{"message: holds U+FFFD, which stands for bytes that are no character"}},
	} {
		r := runCommand("", nil, "write", "-status", "success", "-path", path, "-reason", tt.reason, "-message", tt.message)
		var got []string
		for line := range strings.Lines(r.Stderr) {
			if text, ok := strings.CutPrefix(line, "status-reporter write: warning: "); ok {
				got = append(got, strings.TrimSpace(text))
			} else if !strings.HasPrefix(line, "    hint: ") {
				t.Errorf("%q, %q: %s", tt.reason, tt.message, line)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || r.Code != 0 {
			t.Errorf("%q, %q: exit code %d (-want +got):\n%s", tt.reason, tt.message, r.Code, diff)
		}
	}
}

// TestWriteRefusesWhatTheReporterDoes: of RESULTS_PATH, before anything is written.
func TestWriteRefusesWhatTheReporterDoes(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for value, want := range map[string]string{
		"result.json":    `RESULTS_PATH: must be an absolute path, is "result.json"`,
		"./result.json":  `RESULTS_PATH: must be an absolute path, is "./result.json"`,
		dir:              `RESULTS_PATH: must be the path of the result file, but "` + env.Shorten(dir) + `" is a directory`,
		dir + "/absent/": `RESULTS_PATH: must be the path of the result file, but "` + env.Shorten(dir+"/absent/") + `" is a directory`,
	} {
		r := runCommand("", map[string]string{"RESULTS_PATH": value}, "write", "-status", "success")
		if r.Code != exitUsage || !strings.HasPrefix(r.Stderr, "status-reporter write: "+want+"\n") {
			t.Errorf("%s: exit code %d, %s", value, r.Code, r.Stderr)
		}
	}
	if r := runCommand("", map[string]string{"RESULTS_PATH": "elsewhere"}, "write", "-status", "success", "-path", "result.json"); r.Code != 0 {
		t.Errorf("-path is not RESULTS_PATH: %+v", r)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestUnwritten: an error that says no more than the kernel does leaves the user alone.
func TestUnwritten(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		path string
		err  error
		want string
	}{
		{dir + "/none/r.json", &os.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}, "/none does not exist: mount the volume, or set RESULTS_PATH or -path"},
		{dir + "/r.json", &os.PathError{Op: "open", Path: "x", Err: syscall.EROFS}, "open x: read-only file system: mount the volume without readOnly, "},
		{dir + "/r.json", &os.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, "open x: permission denied: let the adapter's user write to the volume, "},
		{dir + "/r.json", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, "write x: no space left on device"},
	} {
		if got := unwritten(tt.path, tt.err); !strings.Contains(got.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.err, got, tt.want)
		}
	}
}
