package contract

import (
	"bytes"
	"fmt"
	"testing"
)

func BenchmarkParse(b *testing.B) {
	head := `{"status":"failure","reason":"QuotaExceeded","message":"CPU quota of project p-1 is used up: 24 of 24","details":[`
	for _, size := range []int{200, 10_000, MaxFileSize} {
		data := append([]byte(head), bytes.Repeat([]byte(`"x",`), (size-len(head))/4-1)...)
		data = append(data, `0]}`...)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r, err := Parse(data); err != nil || r.Status != Failure {
					b.Fatal(r, err)
				}
			}
		})
	}
}
