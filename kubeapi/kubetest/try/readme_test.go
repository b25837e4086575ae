package main

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReadme follows the README's section on adapters as a newcomer does: it
// copies the complete programs, and runs each beside the reporter.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(readme), "\n## Write an adapter\n")
	if !found {
		t.Fatal("README.md has no section \"Write an adapter\"")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	programs := map[string]string{}
	for _, m := range regexp.MustCompile("(?ms)^```(sh|python|go)\n((?:#!|package main).*?)^```$").FindAllStringSubmatch(section, -1) {
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
				if diff := cmp.Diff(want, got); diff != "" {
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
