package program

import (
	"os"
	"path/filepath"
)

// Adapter writes the result file, well or ill: each method is one way to do it, and
// has done it when it returns. An error of the system's ends the test.
type Adapter struct {
	*Rig
	Dir   string
	Pause func() // longer than the poll interval
}

// NewAdapter gives the adapter a directory of its own to write to.
func NewAdapter(r *Rig, pause func()) *Adapter {
	a := &Adapter{Rig: r, Dir: filepath.Join(filepath.Dir(r.Path), "results"), Pause: pause}
	a.Path = filepath.Join(a.Dir, "adapter-result.json")
	a.Env["RESULTS_PATH"] = a.Path
	a.Must(os.Mkdir(a.Dir, 0o755))
	return a
}

// Must ends the test for an error.
func (a *Adapter) Must(err error) {
	a.T.Helper()
	if err != nil {
		a.T.Fatal(err)
	}
}

// Append writes at the end of the result file.
func (a *Adapter) Append(content string) {
	f, err := os.OpenFile(a.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	a.Must(err)
	_, err = f.WriteString(content)
	a.Must(err)
	a.Must(f.Close())
}

// In is a path beside the result file.
func (a *Adapter) In(name string) string { return filepath.Join(a.Dir, name) }

// Rename writes the result file under another name first.
func (a *Adapter) Rename(content string) {
	a.Put(a.In(".tmp"), content)
	a.Must(os.Rename(a.In(".tmp"), a.Path))
}
