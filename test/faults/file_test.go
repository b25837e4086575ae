package faults

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
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// fileStory is a way in which the result file comes to be. Each is played
// twice: on a fake clock with the file polled, and for real with inotify.
type fileStory struct {
	name string
	play func(a *adapter)
	want contract.Outcome
}

// asAdaptersWrite are files as adapters really write them: each ends in the
// adapter's own result.
func asAdaptersWrite() []fileStory {
	first, second := goodFile[:20], goodFile[20:]
	stories := []fileStory{
		{name: "written at once", play: func(a *adapter) { a.Write(goodFile) }},
		{name: "half, a pause longer than the poll interval, the other half", play: func(a *adapter) {
			f, err := os.Create(a.Path)
			a.Must(err)
			_, err = f.WriteString(first)
			a.Must(err)
			a.Pause()
			_, err = f.WriteString(second)
			a.Must(err)
			a.Must(f.Close())
		}},
		{name: "byte by byte", play: func(a *adapter) {
			f, err := os.Create(a.Path)
			a.Must(err)
			for i := range len(goodFile) {
				_, err = f.WriteString(goodFile[i : i+1])
				a.Must(err)
			}
			a.Must(f.Close())
		}},
		{name: "printf and append, closed in between", play: func(a *adapter) {
			a.Append(first)
			a.Pause()
			a.Append(second)
		}},
		{name: "touched, and filled later", play: func(a *adapter) {
			a.Write("")
			a.Pause()
			a.Append(goodFile)
		}},
		{name: "written under a temporary name and renamed", play: func(a *adapter) { a.Rename(goodFile) }},
		{name: "written under a temporary name and linked", play: func(a *adapter) {
			a.Put(a.In(".tmp"), goodFile)
			a.Must(os.Link(a.In(".tmp"), a.Path))
		}},
		{name: "nonsense, replaced by a result", play: func(a *adapter) {
			a.Write("Traceback (most recent call last):")
			a.Pause()
			a.Write(goodFile)
		}},
		{name: "a directory in its place, replaced by a result", play: func(a *adapter) {
			a.Must(os.Mkdir(a.Path, 0o755))
			a.Pause()
			a.Must(os.Remove(a.Path))
			a.Write(goodFile)
		}},
		{name: "a directory that appears later", play: func(a *adapter) {
			a.Must(os.Remove(a.Dir))
			a.Pause()
			a.Must(os.Mkdir(a.Dir, 0o755))
			a.Write(goodFile)
		}},
		{name: "the directory replaced by another", play: func(a *adapter) {
			a.Must(os.Rename(a.Dir, a.Dir+".old"))
			a.Must(os.Mkdir(a.Dir, 0o755))
			a.Pause()
			a.Write(goodFile)
		}},
		{name: "a FIFO in place of the directory, then the directory again", play: func(a *adapter) {
			a.Must(os.Remove(a.Dir))
			a.Must(syscall.Mkfifo(a.Dir, 0o644))
			a.Pause()
			a.Must(os.Remove(a.Dir))
			a.Must(os.Mkdir(a.Dir, 0o755))
			a.Write(goodFile)
		}},
		{name: "a symbolic link to a file beside it", play: func(a *adapter) {
			a.Must(os.Symlink("data.json", a.Path))
			a.Pause()
			a.Put(a.In("data.json"), goodFile)
		}},
		{name: "a symbolic link swung to another file, as ConfigMaps are", play: func(a *adapter) {
			a.Put(a.In("v1"), "not yet")
			a.Put(a.In("v2"), goodFile)
			a.Must(os.Symlink("v1", a.Path))
			a.Pause()
			a.Must(os.Symlink("v2", a.In(".link")))
			a.Must(os.Rename(a.In(".link"), a.Path))
		}},
		{name: "a FIFO, replaced by a result", play: func(a *adapter) {
			a.Must(syscall.Mkfifo(a.Path, 0o644))
			a.Pause()
			a.Rename(goodFile)
		}},
		{name: "a megabyte of spaces first", play: func(a *adapter) {
			a.Write(strings.Repeat(" ", contract.MaxFileSize-len(goodFile)) + goodFile)
		}},
		{name: "deleted, and written anew", play: func(a *adapter) {
			a.Write(first)
			a.Must(os.Remove(a.Path))
			a.Pause()
			a.Write(goodFile)
		}},
		{name: "rewritten in a loop", play: func(a *adapter) {
			for range 500 {
				a.Write("{}")
			}
			a.Write(goodFile)
		}},
		{name: "a storm of other files beside it", play: func(a *adapter) {
			for range 500 {
				a.Put(a.In("other"), "x")
				a.Must(os.Remove(a.In("other")))
			}
			a.Write(goodFile)
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
			play: func(a *adapter) { a.Must(syscall.Mkfifo(a.Path, 0o644)) }},
		{name: "a directory", want: invalid("must be a regular file, not a directory"),
			play: func(a *adapter) { a.Must(os.Mkdir(a.Path, 0o755)) }},
		{name: "a socket", want: invalid("must be a regular file, not a socket"), play: func(a *adapter) {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			a.Must(err)
			a.T.Cleanup(func() { syscall.Close(fd) })
			a.T.Chdir(a.Dir) // the address holds 108 bytes at most
			a.Must(syscall.Bind(fd, &syscall.SockaddrUnix{Name: filepath.Base(a.Path)}))
		}},
		{name: "a symbolic link to the token, absolute", want: leaves, play: func(a *adapter) {
			a.Put(a.In("../token"), secret)
			a.Must(os.Symlink(a.In("../token"), a.Path))
		}},
		{name: "a symbolic link to the token, relative", want: leaves, play: func(a *adapter) {
			a.Put(a.In("../token"), secret)
			a.Must(os.Symlink("../token", a.Path))
		}},
		{name: "a symbolic link through a linked directory", want: leaves, play: func(a *adapter) {
			a.Put(a.In("../token"), secret)
			a.Must(os.Symlink("..", a.In("up")))
			a.Must(os.Symlink("up/token", a.Path))
		}},
		{name: "a symbolic link to a device", want: leaves,
			play: func(a *adapter) { a.Must(os.Symlink("/dev/zero", a.Path)) }},
		{name: "a symbolic link to itself", want: invalid("a symbolic link that loops"),
			play: func(a *adapter) { a.Must(os.Symlink(filepath.Base(a.Path), a.Path)) }},
		{name: "a terabyte of holes", want: invalid("larger than 1048576 bytes"), play: func(a *adapter) {
			a.Write("")
			a.Must(os.Truncate(a.Path, 1<<40))
		}},
		{name: "200,000 nested arrays", want: invalid("not valid JSON: invalid character '[' exceeded max depth"), play: func(a *adapter) {
			a.Write(`{"status":"success","details":` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + "}")
		}},
	}
}

func TestFilesAsAdaptersWriteThem(t *testing.T) { playFiles(t, asAdaptersWrite()) }
func TestHostileFiles(t *testing.T)             { playFiles(t, asHostileAdaptersLeave()) }

func playFiles(t *testing.T, stories []fileStory) {
	c := program.DefaultCase(t)
	for _, s := range stories {
		t.Run(s.name+"/polled", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := program.NewHarness(t, c)
				a := program.NewAdapter(h.Rig, func() { time.Sleep(3 * time.Second); synctest.Wait() })
				s.run(a, func() { synctest.Wait(); h.Terminate(0, "Completed") })
			})
		})
		t.Run(s.name+"/inotify", func(t *testing.T) {
			server := kubetest.New(t)
			r := program.NewRig(t, c, server)
			r.Env["POLL_INTERVAL_SECONDS"] = "1"
			a := program.NewAdapter(r, func() { time.Sleep(1100 * time.Millisecond) }) // real time: it is the kernel that tells
			s.run(a, func() { (&harness{Rig: r, Server: server}).Terminate(0, "Completed") })
		})
	}
}

func (s *fileStory) run(a *adapter, exit func()) {
	a.Start()
	s.play(a)
	code := reporter.ExitReported
	if s.want != good {
		code = reporter.ExitFault
		exit() // what is wrong with the file is believed at the adapter's end
	}
	a.End(code)
	a.Expect(s.want.Status, s.want.Reason, s.want.Message)
	if strings.Contains(a.Log.String(), secret) {
		a.T.Error("the log holds bytes of a file that is not the adapter's")
	}
}

// TestHostileFilesWhileTheAdapterRuns: nobody has to end for them to be told.
func TestHostileFilesWhileTheAdapterRuns(t *testing.T) {
	for _, s := range asHostileAdaptersLeave() {
		t.Run(s.name, func(t *testing.T) {
			program.Bubble(t, func(h *harness) {
				a := program.NewAdapter(h.Rig, nil)
				a.Start()
				s.play(a)
				if ran := a.End(reporter.ExitFault); ran > 15*time.Second {
					t.Errorf("took %s", ran)
				}
				a.Expect(s.want.Status, s.want.Reason, s.want.Message)
			})
		})
	}
}
