package watch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// play is a run of the state against a server of a few lines, without a goroutine or
// a clock of its own: what the state asks for is done at once, unless it is held, and
// time goes from one wake to the next.
type play struct {
	*state
	t     *testing.T
	trace []string // what was done and said, in order
	last  line
	over  bool

	result look
	facts  facts
	like   []change
	stored *batchv1.Job
	rv     int
	takes  time.Duration // an answer
	fails  map[string]error
	lost   bool // a PATCH is applied, and its answer lost
	held   map[string]bool
	queue  []arrival
}

// arrival is an answer on its way.
type arrival struct {
	at    time.Time
	name  string
	comes func()
}

// scene is one thing that happens in a play.
type scene func(p *play)

// delivers is the row of a play.
type delivers struct {
	name  string
	story []scene
	want  string // the trace
}

func checkDelivery(t *testing.T, rows []delivers, changes ...func(*Config)) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if got := perform(t, r.story, changes...); got != r.want {
				t.Errorf("\n got %s\nwant %s", got, r.want)
			}
		})
	}
}

func perform(t *testing.T, story []scene, changes ...func(*Config)) string {
	c := Config{Wait: time.Minute}
	for _, change := range changes {
		change(&c)
	}
	p := &play{state: newTestState(c), t: t, rv: 1, facts: alive(), stored: theJob(), fails: map[string]error{}, held: map[string]bool{}}
	for _, happens := range story {
		happens(p)
		p.rest()
	}
	return strings.Join(folded(p.trace), "; ")
}

// rest does what is to do until there is nothing.
func (p *play) rest() {
	for n := 0; !p.over; n++ {
		if n > 100 {
			p.t.Fatalf("it never comes to rest: %v", p.trace[len(p.trace)-20:])
		}
		step := p.next(p.now)
		p.says()
		switch {
		case step.done != nil:
			p.ends(*step.done)
		case p.do(step), p.arrives():
		default:
			return
		}
	}
}

// do reports whether there was something to do.
func (p *play) do(step step) bool {
	if step.look {
		p.file.saw(p.result, p.clock, p.now)
	}
	if step.readPod {
		p.asks("read Pod", "read Pod", p.beganReadPod(), func(err error, began seq) {
			if err != nil {
				p.sawPodReading(nil, err, began)
				return
			}
			tells(p.facts, p.like...)(p.state)
			old := *p.pod.last
			old.ResourceVersion = "1"
			p.sawPodReading(&old, nil, began)
		})
	}
	if step.readJob {
		p.asks("read Job", "read Job", p.beganReadJob(), func(err error, began seq) {
			p.sawJob(p.stored.DeepCopy(), err, began)
		})
	}
	if step.patch != nil {
		p.patches(step.patch)
	}
	return step.look || step.readPod || step.readJob || step.patch != nil
}

func (p *play) asks(name, says string, began seq, answer func(error, seq)) {
	err := p.fails[name]
	if err != nil {
		says += "!"
	}
	p.trace = append(p.trace, says)
	p.queue = append(p.queue, arrival{p.now.Add(p.takes), name, func() {
		p.recent.add(p.takes)
		answer(err, began)
	}})
}

// patches sends a PATCH, which the server takes when it comes.
func (p *play) patches(sent *patch) {
	c := sent.what.Status.Conditions[0]
	says := fmt.Sprintf("PATCH %s %s", c.Status, c.Reason)
	if sent.on.UID != nil {
		says += " uid=" + string(*sent.on.UID)
	}
	if sent.on.ResourceVersion != nil {
		says += " rv=" + *sent.on.ResourceVersion
	}
	name := "PATCH"
	for _, v := range sent.what.Labels {
		says += " label=" + v
	}
	if len(sent.what.Annotations) > 0 {
		says += " annotation"
	}
	if carries := strings.Contains(says, "label=") || strings.HasSuffix(says, "annotation"); carries && p.fails["metadata"] != nil {
		name = "metadata"
	}
	p.beganPatch(sent)
	p.asks(name, says, 0, func(err error, _ seq) {
		switch {
		case err != nil:
		case sent.on.UID != nil && *sent.on.UID != p.stored.UID:
			err = status422 // metadata.uid is immutable
		case sent.on.ResourceVersion != nil && *sent.on.ResourceVersion != p.stored.ResourceVersion:
			err = status409
		default:
			p.changeJob(func(j *batchv1.Job) { j.Status.Conditions = []batchv1.JobCondition{c} })
			if p.lost {
				err = errNetwork
			}
		}
		p.sawPatch(sent, p.stored.DeepCopy(), err)
	})
}

// arrives has the next answer come that is due and not held.
func (p *play) arrives() bool {
	i := slices.IndexFunc(p.queue, func(a arrival) bool { return !a.at.After(p.now) && !p.held[a.name] })
	if i < 0 {
		return false
	}
	a := p.queue[i]
	p.queue = slices.Delete(p.queue, i, i+1)
	a.comes()
	return true
}

func (p *play) says() {
	said := p.out.said
	if said == p.last {
		return
	}
	p.last = said
	word := map[string]string{
		msgReported: "reported", msgSuperseded: "superseded", msgRefused: "refused", msgNoTime: "no time", msgTrying: "trying", "": "taken back",
	}[said.msg]
	if o := said.outcome; o != (contract.Outcome{}) {
		word += fmt.Sprintf(" %s %s", o.Status, o.Reason)
	}
	p.trace = append(p.trace, word)
}

func (p *play) ends(r Result) {
	word := "end"
	for _, is := range []struct {
		holds bool
		word  string
	}{{r.Delivered, " delivered"}, {r.Superseded, " superseded"}, {r.Own, " own"}} {
		if is.holds {
			word += is.word
		}
	}
	p.trace, p.over = append(p.trace, word), true
}

func (p *play) changeJob(change func(*batchv1.Job)) {
	p.rv++
	change(p.stored)
	p.stored.ResourceVersion = strconv.Itoa(p.rv)
}

// folded has what is tried again and again once: how often is chance.
func folded(trace []string) (short []string) {
	var retries int // where they begin; 0: nothing has failed yet
	for _, word := range trace {
		short = append(short, word)
		if retries == 0 && (strings.HasPrefix(word, "trying") || strings.HasSuffix(word, "!")) {
			retries = len(short)
		}
		for n := 1; retries > 0 && n <= 6; n++ {
			if k := len(short) - n; k-n >= retries-1 && slices.Equal(short[k-n:k], short[k:]) {
				short = short[:k]
				break
			}
		}
	}
	return short
}

// until lets time pass, from one wake to the next.
func until(d time.Duration) scene {
	return func(p *play) {
		for end := start.Add(d); ; {
			p.rest()
			at := end
			if w := p.wake(); !w.IsZero() && w.Before(at) {
				at = w
			}
			for _, a := range p.queue {
				if !p.held[a.name] && a.at.After(p.now) && a.at.Before(at) {
					at = a.at
				}
			}
			if p.now = at; p.over || at.Equal(end) {
				return
			}
		}
	}
}
