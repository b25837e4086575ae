package main

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

const root = "../../../"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(root + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReadme holds what the README shows of a run to a real one: each line
// is printed, but for the times.
func TestReadme(t *testing.T) {
	shown := regexp.MustCompile("(?ms)^```console\n\\$ make demo( CASE=([a-z]+))?\n(.*?)^```$").FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(shown) != 2 {
		t.Fatalf("README.md shows %d runs, want 2", len(shown))
	}
	for _, m := range shown {
		t.Run(cmp.Or(m[2], "success"), func(t *testing.T) {
			p := play(t, "-case", cmp.Or(m[2], "success"))
			printed := map[string]bool{}
			for line := range strings.Lines(p.stdout + p.stderr) {
				printed[withoutTimes(line)] = true
			}
			for line := range strings.Lines(m[3]) {
				if line = withoutTimes(line); line != "…" && !printed[line] {
					t.Errorf("not printed: %q", line)
				}
			}
			p.says(t, 0)
		})
	}
}

// withoutTimes leaves out how long it took, the alignment that comes of it, and
// when it was.
func withoutTimes(line string) string {
	line = regexp.MustCompile(`\+?\d+\.\d\d ms`).ReplaceAllString(line, "")
	line = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]*Z"`).ReplaceAllString(line, "TIME")
	return strings.Join(strings.Fields(line), " ")
}

// TestAdapters follows docs/adapters.md as a newcomer does: it copies the
// complete programs, and runs each beside the reporter.
func TestAdapters(t *testing.T) {
	programs := map[string]string{}
	for _, m := range regexp.MustCompile("(?ms)^```(sh|python|go)\n((?:#!|package main).*?)^```$").FindAllStringSubmatch(read(t, "docs/adapters.md"), -1) {
		programs[m[1]] = m[2]
	}
	for language, prepare := range map[string]func(ctx context.Context, source string) (string, error){
		"sh":     executable,
		"python": executable,
		"go":     compiled,
	} {
		t.Run(language, func(t *testing.T) {
			if language == "python" && exec.Command("python3", "-V").Run() != nil {
				t.Skip("there is no python3")
			}
			source := filepath.Join(t.TempDir(), "adapter."+language)
			if err := os.WriteFile(source, []byte(programs[language]), 0o644); err != nil {
				t.Fatal(err)
			}
			adapter, err := prepare(t.Context(), source)
			if err != nil {
				t.Fatal(err)
			}
			writable := t.TempDir()
			for dir, want := range map[string]string{
				writable:             "Available=True (DirectoryWritable): " + writable + " can be written to",
				writable + "/absent": "Available=False (DirectoryReadOnly): ",
			} {
				t.Setenv("DATA_DIR", dir)
				p := play(t, "--", adapter)
				got := p.condition(t)
				if dir != writable {
					got = got[:min(len(got), len(want))] // the rest is the language's
				}
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Errorf("condition (-want +got):\n%s", diff)
				}
				p.says(t, 0)
				if strings.Contains(p.stderr, "warning: ") {
					t.Errorf("a warning:\n%s", p.stderr)
				}
			}
		})
	}
}

// TestWriteInShell plays docs/adapters.md's way with status-reporter write, both ways,
// where nothing but the result's directory can be written to.
func TestWriteInShell(t *testing.T) {
	m := regexp.MustCompile("(?ms)^```sh\n([^#].*?status-reporter write.*?)^```$").FindStringSubmatch(read(t, "docs/adapters.md"))
	if m == nil {
		t.Fatal("docs/adapters.md has no example of write")
	}
	const probe = `probe() { echo '{"ms": 3}'; echo no route to host >&2; [ "$DOWN" = no ]; }` + "\n"
	for down, want := range map[string]string{
		"no":  "Available=True (ProbeSucceeded): The probe got an answer",
		"yes": "Available=False (ProbeFailed): no route to host",
	} {
		t.Setenv("DOWN", down)
		p := play(t, "--", "sh", "-euc", "cd /proc\n"+probe+m[1])
		if diff := gocmp.Diff(want, p.condition(t)); diff != "" {
			t.Errorf("condition (-want +got):\n%s", diff)
		}
		p.says(t, 0)
		if strings.Contains(p.stderr, "warning: ") {
			t.Errorf("a warning:\n%s", p.stderr)
		}
	}
}

// TestCheckAResult runs the example of validate.
func TestCheckAResult(t *testing.T) {
	m := regexp.MustCompile("(?ms)^```console\n\\$ ([^\n]* \\| status-reporter validate -)\n(.*?)^```$").FindStringSubmatch(read(t, "docs/adapters.md"))
	if m == nil {
		t.Fatal("docs/adapters.md has no example of validate")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", m[1])
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(reporter)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v, want exit code 1", err)
	}
	if diff := gocmp.Diff(m[2], string(out)); diff != "" {
		t.Errorf("printed (-docs +real):\n%s", diff)
	}
}

func executable(_ context.Context, source string) (string, error) {
	return source, os.Chmod(source, fs.ModePerm)
}

func compiled(ctx context.Context, source string) (string, error) {
	program := strings.TrimSuffix(source, ".go")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", program, source).CombinedOutput()
	if err != nil {
		os.Stderr.Write(out)
	}
	return program, err
}
