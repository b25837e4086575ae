package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOtherVersion(t *testing.T) {
	const pinned = "v1.37.2"
	for _, tt := range []struct {
		asked, want string
		wrong       bool
	}{
		{"", "", false},
		{"1.37.2", "", false},
		{"v1.37.2", "", false},
		{"1.30.14", "v1.30.14", false},
		{"v1.30.14", "v1.30.14", false},
		{"1.30", "", true},
		{"30", "", true},
		{"latest", "", true},
		{"../1.30.14", "", true},
	} {
		if got, err := otherVersion(tt.asked, pinned); got != tt.want || (err != nil) != tt.wrong {
			t.Errorf("%q: %q, %v; want %q, an error: %v", tt.asked, got, err, tt.want, tt.wrong)
		}
	}
}

func TestRewriteModule(t *testing.T) {
	const mod = `// This is a generated file.
module k8s.io/kubernetes

go 1.22.0

godebug default=go1.22

require (
	bitbucket.org/bertimus9/systemstat v0.5.0
	k8s.io/api v0.0.0
)

replace (
	github.com/a/b => github.com/c/b v1.0.0
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/client-go => ./staging/src/k8s.io/client-go
)

replace k8s.io/kms => ./staging/src/k8s.io/kms
`
	const want = `// This is a generated file.
module controlplane

require k8s.io/kubernetes v1.30.14

go 1.22.0

godebug default=go1.22

require (
	bitbucket.org/bertimus9/systemstat v0.5.0
	k8s.io/api v0.0.0
)

replace (
	github.com/a/b => github.com/c/b v1.0.0
	k8s.io/api => k8s.io/api v0.30.14
	k8s.io/client-go => k8s.io/client-go v0.30.14
)

replace k8s.io/kms => k8s.io/kms v0.30.14
`
	got, err := rewriteModule(mod, "v1.30.14")
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for name, mod := range map[string]string{
		"another module": "module k8s.io/api\nreplace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n)\n",
		"nothing staged": "module k8s.io/kubernetes\n\ngo 1.20\n",
	} {
		if _, err := rewriteModule(mod, "v1.30.14"); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
