// Package testdata is the golden suite as Go sees it: the files themselves.
// Package suite, below it, reads them; README.md says what they mean.
package testdata

import "embed"

// FS holds the suite, with index.json at its root.
//
//go:embed index.json adapter-result.schema.json default.pod.json default.job.json contract containers config
var FS embed.FS
