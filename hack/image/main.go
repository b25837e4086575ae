// Command image puts a static binary into an image of one layer on scratch and
// writes that as an OCI archive, without a container engine and without a
// registry. The archive is an OCI image layout with a manifest.json beside it,
// as `docker save` makes it, so that docker, podman and containerd all load it.
// The same binary and flags make the same bytes.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// options say what goes into the image.
type options struct {
	binary   string    // path of the file that becomes /app/status-reporter
	tag      name.Tag  // under which engines load the image
	platform string    // OS/ARCH
	created  time.Time // of everything in the image
	version  string
	commit   string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var opts options
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.StringVar(&opts.binary, "binary", "", "static `FILE` that becomes /app/status-reporter")
	flags.StringVar(&opts.platform, "platform", "", "`OS/ARCH` of the binary")
	flags.StringVar(&opts.version, "version", "", "of the binary, for a label")
	flags.StringVar(&opts.commit, "commit", "", "of the binary, for a label")
	tag := flags.String("tag", "", "`NAME:TAG` of the image")
	date := flags.String("date", "", "RFC 3339 `TIME` of the image; 1970 if empty")
	output := flags.String("o", "", "archive to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if opts.tag, err = name.NewTag(*tag); err != nil {
		return fmt.Errorf("-tag: %w", err)
	}
	opts.created = time.Unix(0, 0).UTC()
	if *date != "" {
		if opts.created, err = time.Parse(time.RFC3339, *date); err != nil {
			return fmt.Errorf("-date: %w", err)
		}
	}
	img, err := build(opts)
	if err != nil {
		return err
	}
	return save(*output, img, opts)
}

// save writes the archive and says what it holds.
func save(path string, img v1.Image, opts options) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := writeArchive(f, img, opts); err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	fmt.Printf("%s %s %s %s\n", path, opts.tag, opts.platform, digest)
	return f.Close()
}
