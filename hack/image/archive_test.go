package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// descriptor is what the OCI specification says of one.
type descriptor struct {
	MediaType   string
	Digest      string
	Size        int
	Platform    struct{ OS, Architecture string }
	Annotations map[string]string
}

// archive runs the program and returns the files of what it wrote.
func archive(t *testing.T, args ...string) (raw []byte, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	binary, out := filepath.Join(dir, "binary"), filepath.Join(dir, "image.tar")
	if err := os.WriteFile(binary, []byte("the binary"), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{
		"-binary", binary, "-o", out, "-platform", "linux/arm64", "-tag", "status-reporter:v1.2.3",
		"-version", "v1.2.3", "-commit", "abc", "-date", "2026-01-02T03:04:05Z",
	}, args...)
	if err := run(args); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return raw, untar(t, bytes.NewReader(raw), 0o644)
}

func untar(t *testing.T, from io.Reader, mode int64) map[string]string {
	t.Helper()
	files := map[string]string{}
	for r := tar.NewReader(from); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Mode != mode {
			t.Errorf("%s: owner %d:%d, mode %o, want 0:0, %o", h.Name, h.Uid, h.Gid, h.Mode, mode)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(content)
	}
}

func decode[T any](t *testing.T, content string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(content), &v); err != nil {
		t.Fatalf("%v: %s", err, content)
	}
	return v
}

// content follows a descriptor, and checks what it says of its blob.
func content(t *testing.T, files map[string]string, d descriptor) string {
	t.Helper()
	algorithm, digest, _ := strings.Cut(d.Digest, ":")
	b, ok := files["blobs/"+algorithm+"/"+digest]
	if !ok {
		t.Fatalf("there is no blob %s", d.Digest)
	}
	if sum := sha256.Sum256([]byte(b)); hex.EncodeToString(sum[:]) != digest || len(b) != d.Size {
		t.Errorf("%s is not the blob that its descriptor tells", d.Digest)
	}
	return b
}

func TestArchive(t *testing.T) {
	_, files := archive(t)
	if got := files["oci-layout"]; got != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("oci-layout is %s", got)
	}
	index := decode[struct{ Manifests []descriptor }](t, files["index.json"])
	if len(index.Manifests) != 1 {
		t.Fatalf("index.json has %d manifests", len(index.Manifests))
	}
	d := index.Manifests[0]
	if d.Platform.OS+"/"+d.Platform.Architecture != "linux/arm64" {
		t.Errorf("platform is %+v", d.Platform)
	}
	manifest := decode[struct {
		MediaType string
		Config    descriptor
		Layers    []descriptor
	}](t, content(t, files, d))
	if want := "application/vnd.oci.image.manifest.v1+json"; manifest.MediaType != want || d.MediaType != want {
		t.Errorf("media types %s, %s", manifest.MediaType, d.MediaType)
	}
	config := decode[struct {
		OS, Architecture, Created string
		Config                    struct {
			User       string
			Entrypoint []string
			Env        []string
			Labels     map[string]string
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}](t, content(t, files, manifest.Config))
	if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/app/status-reporter"}) ||
		!slices.Equal(config.Config.Env, []string{"GOMAXPROCS=1"}) ||
		config.OS != "linux" || config.Architecture != "arm64" || config.Created != "2026-01-02T03:04:05Z" {
		t.Errorf("config is %+v", config)
	}
	if got, want := slices.Sorted(maps.Keys(config.Config.Labels)), dockerfileLabels(t); !slices.Equal(got, want) {
		t.Errorf("labels are\n%q, those of the Dockerfile\n%q", got, want)
	}
	if len(manifest.Layers) != 1 || len(config.RootFS.DiffIDs) != 1 {
		t.Fatalf("%d layers, %d diff IDs, want 1", len(manifest.Layers), len(config.RootFS.DiffIDs))
	}
	layer, err := gzip.NewReader(strings.NewReader(content(t, files, manifest.Layers[0])))
	if err != nil {
		t.Fatal(err)
	}
	got := untar(t, layer, 0o755)
	if want := map[string]string{"app/": "", "app/status-reporter": "the binary"}; !maps.Equal(got, want) {
		t.Errorf("the layer holds %q, want %q", got, want)
	}
	docker := decode[[]dockerImage](t, files["manifest.json"])
	if len(docker) != 1 || !slices.Equal(docker[0].RepoTags, []string{"status-reporter:v1.2.3"}) ||
		"sha256:"+filepath.Base(docker[0].Config) != manifest.Config.Digest ||
		len(docker[0].Layers) != 1 || "sha256:"+filepath.Base(docker[0].Layers[0]) != manifest.Layers[0].Digest {
		t.Errorf("manifest.json does not tell what index.json does: %+v", docker)
	}
}

// dockerfileLabels are the names of the labels in the Dockerfile.
func dockerfileLabels(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`org\.opencontainers\.image\.[a-z]+`).FindAllString(string(b), -1)
	slices.Sort(names)
	return names
}

func TestSameBytes(t *testing.T) {
	first, _ := archive(t)
	second, _ := archive(t)
	if !bytes.Equal(first, second) {
		t.Error("the same binary and flags make other bytes")
	}
	if other, _ := archive(t, "-date", "2026-01-02T03:04:06Z"); bytes.Equal(first, other) {
		t.Error("another date makes the same bytes")
	}
}

// TestNames: a node's containerd finds the image under the name that it gives
// to the image of a Pod.
func TestNames(t *testing.T) {
	for tag, want := range map[string]string{
		"status-reporter:v1":               "docker.io/library/status-reporter:v1",
		"team/status-reporter:v1":          "docker.io/team/status-reporter:v1",
		"registry.example.com/a/sr:v1":     "registry.example.com/a/sr:v1",
		"registry.example.com:5000/a/sr:1": "registry.example.com:5000/a/sr:1",
	} {
		_, files := archive(t, "-tag", tag)
		index := decode[struct{ Manifests []descriptor }](t, files["index.json"])
		if got := index.Manifests[0].Annotations["io.containerd.image.name"]; got != want {
			t.Errorf("%s is %s to containerd, want %s", tag, got, want)
		}
	}
}

func TestWrongFlags(t *testing.T) {
	dir := t.TempDir()
	none := filepath.Join(dir, "none")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-tag", "Not A Tag"}, "-tag"},
		{[]string{"-tag", "a:b", "-date", "yesterday"}, "-date"},
		{[]string{"-tag", "a:b", "-platform", "linux"}, "-platform"},
		{[]string{"-tag", "a:b", "-platform", "linux/amd64", "-binary", none}, "no such file"},
		{[]string{"-tag", "a:b", "-platform", "linux/amd64", "-binary", "main.go", "-o", filepath.Join(none, "x")}, "no such file"},
		{[]string{"-colour"}, "not defined"},
	} {
		if err := run(tt.args); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("run(%q) = %v, want an error with %q", tt.args, err, tt.want)
		}
	}
}
