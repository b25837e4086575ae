// Command matrix runs the suites of `make test-apiserver` on several versions of
// Kubernetes, one after the other, and writes what came of it into a table of
// docs/versions.md. Rows of versions that it is not asked for stay as they are.
//
// It is run in the root directory of the repository, with the packages of the
// suites as arguments.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/test/apiserver"
)

func main() {
	versions := flag.String("versions", "1.30.14 1.34.4 1.37.2", "the `versions` of Kubernetes, whole ones, separated by spaces")
	page := flag.String("page", "docs/versions.md", "the `file` with the table")
	flag.Parse()
	if err := run(strings.Fields(*versions), *page, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "matrix:", err)
		os.Exit(1)
	}
}

func run(versions []string, page string, packages []string) error {
	var results []*result
	var failed []string
	for _, v := range versions {
		began := time.Now()
		r, err := play(v, packages)
		if err != nil {
			return fmt.Errorf("on Kubernetes %s: %w", v, err)
		}
		fmt.Printf("Kubernetes %s: %s (%s)\n", v, r, time.Since(began).Round(time.Second))
		for _, s := range r.skips {
			fmt.Printf("  skipped: %s: %s\n", s.reason, strings.Join(s.tests, ", "))
		}
		if r.failures > 0 || r.empty() != "" {
			failed = append(failed, v)
		}
		results = append(results, r)
	}
	if failed != nil {
		return fmt.Errorf("failed on Kubernetes %s; %s stays as it is", strings.Join(failed, ", "), page)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	updated, err := update(string(text), results)
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	return os.WriteFile(page, []byte(updated), 0o644)
}

// play runs the suites on one version.
func play(version string, packages []string) (*result, error) {
	assets := exec.Command("go", "run", "./test/apiserver/assets", "-kubernetes", version)
	assets.Stderr = os.Stderr
	dirs, err := assets.Output()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", append([]string{"test", "-json", "-count=1", "-p", "1", "-parallel", "32", "-timeout", "20m",
		"-run", tests()}, packages...)...)
	cmd.Env = append(os.Environ(), apiserver.Variable+"="+strings.TrimSpace(string(dirs)))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r, err := read(version, out, os.Stdout)
	if err != nil {
		cmd.Process.Kill()
		io.Copy(io.Discard, out)
	}
	if ended := cmd.Wait(); err == nil && ended != nil && r.failures == 0 {
		err = fmt.Errorf("go test: %w\n%s", ended, stderr.Bytes())
	}
	return r, err
}
