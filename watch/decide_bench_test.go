package watch

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/testdata"
)

// The path of an event, in its parts: the Pod's facts, and what they mean.

func BenchmarkFactsOf(b *testing.B) {
	data, err := testdata.FS.ReadFile("default.pod.json")
	if err != nil {
		b.Fatal(err)
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(data, pod); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := findContainers(pod, "", variables)
		if f := factsOf(pod, r); err != nil || f.ended == nil {
			b.Fatal(f, err)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, tt := range []struct {
		name    string
		facts   facts
		verdict bool
	}{
		{"running", alive(), false},
		{"crashed", exited(1), true},
	} {
		b.Run(tt.name, func(b *testing.B) {
			s := happened(tells(tt.facts), looks(absent))
			b.ReportAllocs()
			for b.Loop() {
				if v, _ := s.decide(); (v != nil) != tt.verdict {
					b.Fatal(v)
				}
			}
		})
	}
}

// BenchmarkNext is what each event costs.
func BenchmarkNext(b *testing.B) {
	s := happened(tells(alive()), looks(absent), jobAnswers)
	b.ReportAllocs()
	for b.Loop() {
		if do := s.next(s.now); do.patch != nil {
			b.Fatal(do)
		}
	}
}

func BenchmarkLook(b *testing.B) {
	path := filepath.Join(b.TempDir(), "adapter-result.json")
	if err := os.WriteFile(path, []byte(`{"status":"success","reason":"AllChecksPassed","message":"All 12 checks passed"}`), 0o644); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if l := lookAt(path); l.kind != fileValid {
			b.Fatal(l)
		}
	}
}
