package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	entrypoint = "/app/status-reporter" // where deployments expect it
	user       = "65532:65532"          // numeric: the kubelet checks runAsNonRoot by it
)

// build makes the image.
func build(opts options) (v1.Image, error) {
	platform, err := v1.ParsePlatform(opts.platform)
	if err != nil || platform.Architecture == "" {
		return nil, fmt.Errorf("-platform: must be OS/ARCH, is %q", opts.platform)
	}
	files, err := layerTar(opts.binary, opts.created)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files)), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	base, err = mutate.ConfigFile(base, &v1.ConfigFile{
		OS:           platform.OS,
		Architecture: platform.Architecture,
		Variant:      platform.Variant,
		Created:      v1.Time{Time: opts.created},
		Config:       v1.Config{User: user, Entrypoint: []string{entrypoint}, Env: []string{"GOMAXPROCS=1"}, WorkingDir: "/", Labels: labels(opts)},
		RootFS:       v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(base, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: opts.created}, CreatedBy: "hack/image", Comment: entrypoint},
	})
}

// labels are those of the Dockerfile.
func labels(opts options) map[string]string {
	const prefix = "org.opencontainers.image."
	return map[string]string{
		prefix + "title":       "status-reporter",
		prefix + "description": "Sets a condition on a Kubernetes Job from the result of the adapter beside it",
		prefix + "source":      "https://github.com/openshift-hyperfleet/status-reporter",
		prefix + "licenses":    "Apache-2.0",
		prefix + "version":     opts.version,
		prefix + "revision":    opts.commit,
		prefix + "created":     opts.created.Format(time.RFC3339),
	}
}

// layerTar holds the binary and its directory, owned by root and not writable
// for the user that runs it.
func layerTar(binary string, created time.Time) ([]byte, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	path := strings.TrimPrefix(entrypoint, "/")
	dir := path[:strings.Index(path, "/")+1]
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: created}); err != nil {
		return nil, err
	}
	if err := writeFile(w, path, content, 0o755, created); err != nil {
		return nil, err
	}
	return b.Bytes(), w.Close()
}

// writeArchive writes the image as an OCI layout that is a docker archive too.
func writeArchive(to io.Writer, img v1.Image, opts options) error {
	files, err := layoutFiles(img, opts)
	if err != nil {
		return err
	}
	w := tar.NewWriter(to)
	for _, f := range files {
		if err := writeFile(w, f.name, f.content, 0o644, opts.created); err != nil {
			return err
		}
	}
	return w.Close()
}

type file struct {
	name    string
	content []byte
}

// dockerImage is an entry of manifest.json, which docker without the containerd
// image store reads instead of the OCI layout.
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// layoutFiles are the archive's files in their order: small ones first, so that
// a reader of the stream knows what comes.
func layoutFiles(img v1.Image, opts options) ([]file, error) {
	manifest, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	rawManifest, err := img.RawManifest()
	if err != nil {
		return nil, err
	}
	digest, err := img.Digest()
	if err != nil {
		return nil, err
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return nil, err
	}
	platform, err := v1.ParsePlatform(opts.platform)
	if err != nil {
		return nil, err
	}
	docker := dockerImage{Config: blob(manifest.Config.Digest), RepoTags: []string{opts.tag.String()}}
	blobs := []file{{blob(digest), rawManifest}, {blob(manifest.Config.Digest), config}}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	for i, layer := range layers {
		content, err := compressed(layer)
		if err != nil {
			return nil, err
		}
		path := blob(manifest.Layers[i].Digest)
		docker.Layers = append(docker.Layers, path)
		blobs = append(blobs, file{path, content})
	}
	index := v1.IndexManifest{
		SchemaVersion: 2,
		MediaType:     types.OCIImageIndex,
		Manifests: []v1.Descriptor{{
			MediaType: manifest.MediaType, Digest: digest, Size: int64(len(rawManifest)), Platform: platform,
			Annotations: map[string]string{
				// containerd's form of a name without a registry lacks this prefix
				"io.containerd.image.name":          strings.TrimPrefix(opts.tag.Name(), "index."),
				"org.opencontainers.image.ref.name": opts.tag.String(),
			},
		}},
	}
	files := []file{{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)}}
	for _, f := range []struct {
		name  string
		value any
	}{{"index.json", index}, {"manifest.json", []dockerImage{docker}}} {
		content, err := json.Marshal(f.value)
		if err != nil {
			return nil, err
		}
		files = append(files, file{f.name, content})
	}
	return append(files, blobs...), nil
}

func blob(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }

func compressed(layer v1.Layer) ([]byte, error) {
	r, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func writeFile(w *tar.Writer, name string, content []byte, mode int64, created time.Time) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: mode, ModTime: created}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}
