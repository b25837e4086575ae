package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/reporter"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// fileStory is a way in which the result file comes to be. Each is played
// twice: on a fake clock with the file polled, and for real with inotify.
type fileStory struct {
	name string
	play func(a *adapter)
	want contract.Outcome
}

// adapter writes the result file, well or ill.
type adapter struct {
	*rig
	dir   string
	pause func() // longer than the poll interval
}

func (a *adapter) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *adapter) append(content string) {
	f, err := os.OpenFile(a.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	a.must(err)
	_, err = f.WriteString(content)
	a.must(err)
	a.must(f.Close())
}

func (a *adapter) in(name string) string { return filepath.Join(a.dir, name) }

func (a *adapter) rename(content string) {
	a.put(a.in(".tmp"), content)
	a.must(os.Rename(a.in(".tmp"), a.path))
}

// asAdaptersWrite are files as adapters really write them: each ends in the
// adapter's own result.
func asAdaptersWrite() []fileStory {
	first, second := goodFile[:20], goodFile[20:]
	stories := []fileStory{
		{name: "written at once", play: func(a *adapter) { a.write(goodFile) }},
		{name: "half, a pause longer than the poll interval, the other half", play: func(a *adapter) {
			f, err := os.Create(a.path)
			a.must(err)
			_, err = f.WriteString(first)
			a.must(err)
			a.pause()
			_, err = f.WriteString(second)
			a.must(err)
			a.must(f.Close())
		}},
		{name: "byte by byte", play: func(a *adapter) {
			f, err := os.Create(a.path)
			a.must(err)
			for i := range len(goodFile) {
				_, err = f.WriteString(goodFile[i : i+1])
				a.must(err)
			}
			a.must(f.Close())
		}},
		{name: "printf and append, closed in between", play: func(a *adapter) {
			a.append(first)
			a.pause()
			a.append(second)
		}},
		{name: "touched, and filled later", play: func(a *adapter) {
			a.write("")
			a.pause()
			a.append(goodFile)
		}},
		{name: "written under a temporary name and renamed", play: func(a *adapter) { a.rename(goodFile) }},
		{name: "written under a temporary name and linked", play: func(a *adapter) {
			a.put(a.in(".tmp"), goodFile)
			a.must(os.Link(a.in(".tmp"), a.path))
		}},
		{name: "nonsense, replaced by a result", play: func(a *adapter) {
			a.write("Traceback (most recent call last):")
			a.pause()
			a.write(goodFile)
		}},
		{name: "a directory in its place, replaced by a result", play: func(a *adapter) {
			a.must(os.Mkdir(a.path, 0o755))
			a.pause()
			a.must(os.Remove(a.path))
			a.write(goodFile)
		}},
		{name: "a directory that appears later", play: func(a *adapter) {
			a.must(os.Remove(a.dir))
			a.pause()
			a.must(os.Mkdir(a.dir, 0o755))
			a.write(goodFile)
		}},
		{name: "the directory replaced by another", play: func(a *adapter) {
			a.must(os.Rename(a.dir, a.dir+".old"))
			a.must(os.Mkdir(a.dir, 0o755))
			a.pause()
			a.write(goodFile)
		}},
		{name: "a FIFO in place of the directory, then the directory again", play: func(a *adapter) {
			a.must(os.Remove(a.dir))
			a.must(syscall.Mkfifo(a.dir, 0o644))
			a.pause()
			a.must(os.Remove(a.dir))
			a.must(os.Mkdir(a.dir, 0o755))
			a.write(goodFile)
		}},
		{name: "a symbolic link to a file beside it", play: func(a *adapter) {
			a.must(os.Symlink("data.json", a.path))
			a.pause()
			a.put(a.in("data.json"), goodFile)
		}},
		{name: "a symbolic link swung to another file, as ConfigMaps are", play: func(a *adapter) {
			a.put(a.in("v1"), "not yet")
			a.put(a.in("v2"), goodFile)
			a.must(os.Symlink("v1", a.path))
			a.pause()
			a.must(os.Symlink("v2", a.in(".link")))
			a.must(os.Rename(a.in(".link"), a.path))
		}},
		{name: "a FIFO, replaced by a result", play: func(a *adapter) {
			a.must(syscall.Mkfifo(a.path, 0o644))
			a.pause()
			a.rename(goodFile)
		}},
		{name: "a megabyte of spaces first", play: func(a *adapter) {
			a.write(strings.Repeat(" ", contract.MaxFileSize-len(goodFile)) + goodFile)
		}},
		{name: "deleted, and written anew", play: func(a *adapter) {
			a.write(first)
			a.must(os.Remove(a.path))
			a.pause()
			a.write(goodFile)
		}},
		{name: "rewritten in a loop", play: func(a *adapter) {
			for range 500 {
				a.write("{}")
			}
			a.write(goodFile)
		}},
		{name: "a storm of other files beside it", play: func(a *adapter) {
			for range 500 {
				a.put(a.in("other"), "x")
				a.must(os.Remove(a.in("other")))
			}
			a.write(goodFile)
		}},
	}
	for i := range stories {
		stories[i].want = good
	}
	return stories
}

const secret = "a-token-that-must-not-be-told"

// asHostileAdaptersLeave are files of the wrong kind or content, left as they are.
func asHostileAdaptersLeave() []fileStory {
	invalid := func(problem string) contract.Outcome {
		return contract.Outcome{Status: contract.False, Reason: contract.ReasonInvalidResultFormat,
			Message: "Failed to parse adapter result: " + problem}
	}
	leaves := invalid("a symbolic link that leaves its directory")
	return []fileStory{
		{name: "a FIFO", want: invalid("must be a regular file, not a FIFO"),
			play: func(a *adapter) { a.must(syscall.Mkfifo(a.path, 0o644)) }},
		{name: "a directory", want: invalid("must be a regular file, not a directory"),
			play: func(a *adapter) { a.must(os.Mkdir(a.path, 0o755)) }},
		{name: "a socket", want: invalid("must be a regular file, not a socket"), play: func(a *adapter) {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			a.must(err)
			a.t.Cleanup(func() { syscall.Close(fd) })
			a.t.Chdir(a.dir) // the address holds 108 bytes at most
			a.must(syscall.Bind(fd, &syscall.SockaddrUnix{Name: filepath.Base(a.path)}))
		}},
		{name: "a symbolic link to the token, absolute", want: leaves, play: func(a *adapter) {
			a.put(a.in("../token"), secret)
			a.must(os.Symlink(a.in("../token"), a.path))
		}},
		{name: "a symbolic link to the token, relative", want: leaves, play: func(a *adapter) {
			a.put(a.in("../token"), secret)
			a.must(os.Symlink("../token", a.path))
		}},
		{name: "a symbolic link through a linked directory", want: leaves, play: func(a *adapter) {
			a.put(a.in("../token"), secret)
			a.must(os.Symlink("..", a.in("up")))
			a.must(os.Symlink("up/token", a.path))
		}},
		{name: "a symbolic link to a device", want: leaves,
			play: func(a *adapter) { a.must(os.Symlink("/dev/zero", a.path)) }},
		{name: "a symbolic link to itself", want: invalid("a symbolic link that loops"),
			play: func(a *adapter) { a.must(os.Symlink(filepath.Base(a.path), a.path)) }},
		{name: "a terabyte of holes", want: invalid("larger than 1048576 bytes"), play: func(a *adapter) {
			a.write("")
			a.must(os.Truncate(a.path, 1<<40))
		}},
		{name: "200,000 nested arrays", want: invalid("not valid JSON: invalid character '[' exceeded max depth"), play: func(a *adapter) {
			a.write(`{"status":"success","details":` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + "}")
		}},
	}
}

func TestFilesAsAdaptersWriteThem(t *testing.T) { playFiles(t, asAdaptersWrite()) }
func TestHostileFiles(t *testing.T)             { playFiles(t, asHostileAdaptersLeave()) }

func playFiles(t *testing.T, stories []fileStory) {
	c := defaultCase(t)
	for _, s := range stories {
		t.Run(s.name+"/polled", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t, c)
				a := newAdapter(h.rig, func() { time.Sleep(3 * time.Second); synctest.Wait() })
				s.run(a, func() { synctest.Wait(); h.terminate(0, "Completed") })
			})
		})
		t.Run(s.name+"/inotify", func(t *testing.T) {
			server := kubetest.New(t)
			r := newRig(t, c, server)
			r.env["POLL_INTERVAL_SECONDS"] = "1"
			a := newAdapter(r, func() { time.Sleep(1100 * time.Millisecond) }) // real time: it is the kernel that tells
			s.run(a, func() { (&harness{rig: r, server: server}).terminate(0, "Completed") })
		})
	}
}

func newAdapter(r *rig, pause func()) *adapter {
	a := &adapter{rig: r, dir: filepath.Join(filepath.Dir(r.path), "results"), pause: pause}
	a.path = filepath.Join(a.dir, "adapter-result.json")
	a.env["RESULTS_PATH"] = a.path
	a.must(os.Mkdir(a.dir, 0o755))
	return a
}

func (s *fileStory) run(a *adapter, exit func()) {
	a.start()
	s.play(a)
	code := reporter.ExitReported
	if s.want != good {
		code = reporter.ExitFault
		exit() // what is wrong with the file is believed at the adapter's end
	}
	a.end(code)
	a.expect(s.want.Status, s.want.Reason, s.want.Message)
	if strings.Contains(a.log.String(), secret) {
		a.t.Error("the log holds bytes of a file that is not the adapter's")
	}
}

// TestHostileFilesWhileTheAdapterRuns: nobody has to end for them to be told.
func TestHostileFilesWhileTheAdapterRuns(t *testing.T) {
	for _, s := range asHostileAdaptersLeave() {
		t.Run(s.name, func(t *testing.T) {
			bubble(t, func(h *harness) {
				a := newAdapter(h.rig, nil)
				a.start()
				s.play(a)
				if ran := a.end(reporter.ExitFault); ran > 15*time.Second {
					t.Errorf("took %s", ran)
				}
				a.expect(s.want.Status, s.want.Reason, s.want.Message)
			})
		})
	}
}
