package watch

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

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
		r, err := assign(pod, "", variables)
		if f := factsOf(pod, r); err != nil || f.ended == nil {
			b.Fatal(f, err)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	now := time.Now()
	for _, tt := range []struct {
		name   string
		facts  facts
		speaks bool
	}{
		{"running", facts{running: true}, false},
		{"crashed", facts{ended: terminated(1, "Error").Terminated}, true},
	} {
		b.Run(tt.name, func(b *testing.B) {
			s := newState("/results/adapter-result.json", time.Hour, minSettle, now)
			s.note(now)
			s.sawPod(tt.facts)
			s.sawFile(look{}, s.moment, now)
			b.ReportAllocs()
			for b.Loop() {
				s.note(now)
				if step := s.decide(); (step.speak != nil) != tt.speaks {
					b.Fatal(step)
				}
			}
		})
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
