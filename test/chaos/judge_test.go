package chaos

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/reporter"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

const (
	instant  = 5 * ms           // things at the same time come in any order
	recovery = 55 * time.Second // until trouble has no effect any more
	hanging  = 10 * time.Second // what a request waits for an answer
	fair     = 150              // requests in any minute
)

// verdict is what became of one Job.
type verdict struct {
	wrong   []string // each begins with its kind: lost, false, late, ...
	reason  string   // of the condition that was delivered
	outcome string   // delivered, told undeliverable, ...
}

func (v *verdict) fail(kind, format string, args ...any) {
	v.wrong = append(v.wrong, kind+": "+fmt.Sprintf(format, args...))
}

type claim struct {
	at time.Duration
	contract.Outcome
}

func (w *world) judge() *verdict {
	v := &verdict{}
	reqs := w.requests()
	w.addTroubles(reqs)
	claims, told := w.readLog()
	w.judgePatches(v, reqs)
	w.judgeClaims(v, reqs, claims)
	w.judgeWrites(v, claims)
	w.judgeEnd(v, claims, told)
	w.judgeTime(v, reqs)
	w.judgeLoad(v, reqs)
	return v
}

// requests are those that arrived before the reporter was killed.
func (w *world) requests() (reqs []kubetest.Request) {
	for _, r := range w.Server.Requests() {
		if !w.killed || r.Time.Sub(w.Began) < w.s.kill {
			reqs = append(reqs, r)
		}
	}
	return reqs
}

// addTroubles adds those of single requests.
func (w *world) addTroubles(reqs []kubetest.Request) {
	for _, r := range reqs {
		at := r.Time.Sub(w.Began)
		kind, lasts := parseFault(r.Fault)
		hangs := strings.HasPrefix(kind, "Hang") || strings.HasPrefix(kind, "Stall") || strings.HasPrefix(kind, "Silent")
		switch {
		case r.Fault == "" && r.Code != 403:
			continue
		case hangs && r.Verb == "watch" && r.Code == 200: // accepted: silence is what watches mostly are
			lasts += 2 * time.Minute
		case hangs:
			lasts += hanging
		case r.Code == 403 && r.Verb == "watch" && !w.s.noWatch && !w.s.noPods:
			lasts += 25 * time.Second
		case r.Code == 403 && r.Fault == "":
			continue // a Role that lacks something is no trouble; one that changes is noted as such
		}
		if strings.HasPrefix(kind, "Lose") {
			w.releases = append(w.releases, at)
		}
		w.trouble(at, at+lasts)
	}
}

// parseFault is a fault's kind, and by how much it holds the request up before it is
// answered.
func parseFault(fault string) (kind string, delay time.Duration) {
	kind, text, _ := strings.Cut(fault, ".After(")
	delay, _ = time.ParseDuration(strings.TrimSuffix(text, ")")) // 0 where there is none
	return kind, delay
}

// troubledSince is when the trouble began that may still have effects at a time;
// just after that time where there is none.
func (w *world) troubledSince(at time.Duration) time.Duration {
	since := at + instant
	for again := true; again; {
		again = false
		for _, t := range w.troubles {
			if t.from < since && since <= t.to+recovery+w.s.wishes+instant {
				since, again = t.from, true
			}
		}
	}
	return since
}

func (w *world) readLog() (claims []claim, told bool) {
	for line := range strings.Lines(w.Log.String()) {
		var record struct {
			Time                         time.Time
			Msg, Status, Reason, Message string
		}
		if json.Unmarshal([]byte(line), &record) != nil {
			continue
		}
		at := record.Time.Sub(w.Began)
		if w.killed && at >= w.s.kill {
			break
		}
		if record.Msg == "reported" || strings.HasPrefix(record.Msg, "not reported") {
			w.stands = 0 // unless this is what it says
		}
		switch {
		case record.Msg == "reported":
			claims = append(claims, claim{at, contract.Outcome{Status: contract.ConditionStatus(record.Status), Reason: record.Reason, Message: record.Message}})
		case strings.HasPrefix(record.Msg, "not reported: a report stands"):
			w.stands = at
		case strings.HasPrefix(record.Msg, "not reported"):
			told = true
		}
	}
	return claims, told
}

// acknowledged are the PATCHes to which the server itself has answered well.
func (w *world) acknowledgedOf(reqs []kubetest.Request) (good []kubetest.Request) {
	for _, r := range reqs {
		if r.Verb == "patch" && r.Code/100 == 2 && (r.Fault == "" || strings.HasPrefix(r.Fault, "Proceed")) {
			good = append(good, r)
		}
	}
	return good
}

// judgePatches: whatever is sent must be true.
func (w *world) judgePatches(v *verdict, reqs []kubetest.Request) {
	for _, r := range reqs {
		if r.Verb != "patch" {
			continue
		}
		if r.Name != program.JobName || r.Namespace != program.Namespace {
			v.fail("foreign", "a PATCH of %s/%s", r.Namespace, r.Name)
		}
		w.judgePatch(v, r.Time.Sub(w.Began), patched(r), r.Code/100 != 2)
	}
}

func (w *world) judgePatch(v *verdict, at time.Duration, o contract.Outcome, stale bool) {
	results := w.results()
	for i, r := range results {
		if r.since <= at+instant && (allowed{Outcome: r.want}).meets(o) {
			for _, earlier := range results[:i] {
				if earlier.until-earlier.since > w.s.poll+instant && earlier.until < at-w.slack(at) && earlier.want != o {
					v.fail("false", "at %s: %v, but the first result is %v", at, o, earlier.want)
				}
			}
			return
		}
	}
	seen := at - w.slack(at) - instant
	for _, r := range results {
		if r.since < seen && (r.until > at || r.since+w.s.poll < min(r.until, seen)) {
			v.fail("lost", "at %s: %v, but since %s there has been a result: %v", at, o, r.since, r.want)
			return
		}
	}
	views := w.views(at, stale)
	for _, view := range views {
		if view.file.kind == valid && (allowed{Outcome: view.file.want}).meets(o) { // stale, and nothing tells
			return
		}
		for _, a := range w.says(view) {
			if a.meets(o) {
				return
			}
		}
	}
	v.fail("false", "at %s: %+v, which is none of %+v", at, o, w.says(views[len(views)-1]))
}

// result is a valid file and how long it stood.
type result struct {
	file
	until time.Duration
}

func (w *world) results() (all []result) {
	for i, s := range w.past {
		if s.file.kind != valid || s.file.stale || i > 0 && w.past[i-1].file == s.file {
			continue
		}
		r := result{s.file, 1 << 62}
		for _, later := range w.past[i+1:] {
			if later.file != s.file {
				r.until = later.at
				break
			}
		}
		all = append(all, r)
	}
	return all
}

// slack is how long before it arrives a PATCH may have been sent: black holes
// let go of what they hold when they end, or when the connection is reset.
func (w *world) slack(at time.Duration) time.Duration {
	if w.frozen == 0 || w.frozen > at {
		return 0
	}
	for _, released := range w.releases {
		if (released - at).Abs() <= instant {
			return at - w.frozen
		}
	}
	return 0
}

// views are the ways in which the reporter may see the world at a time. The
// last is the one without any delay. Stale is a write that has
// changed nothing, as where the Job is no more what the stop began with.
func (w *world) views(at time.Duration, stale bool) (views []view) {
	since := w.troubledSince(at)
	loose := since <= at
	since = min(since, at)
	if w.s.noWatch {
		since -= max(5*time.Second, w.s.poll)*5/4 + time.Second
	}
	fileSince := at - w.slack(at) - instant
	jobSince := min(since, fileSince)
	if stale && len(w.sigterms) > 0 {
		jobSince = min(jobSince, w.sigterms[0])
	}
	if stale && w.first(func(s snapshot) bool { return s.pod.deleting }) >= 0 {
		jobSince = 0 // as last read, whenever that was: its guard holds the write to that
	}
	jobs := w.jobsSince(jobSince-instant, at, loose)
	for _, f := range w.past {
		if !w.inForce(f, fileSince, at) {
			continue
		}
		for _, j := range jobs {
			if w.s.noPods || w.s.refuses && loose || since <= 0 && loose {
				views = append(views, view{at: at + instant, file: f.file, job: j, loose: true, denied: w.s.noPods || w.s.refuses, until: -1})
			}
			if w.s.noPods {
				continue
			}
			for _, p := range w.past {
				if !w.inForce(p, since-instant, at) {
					continue
				}
				for _, file := range w.filesOf(f.file, &p.pod, loose) {
					if w.pod.gone && !p.pod.gone && (loose || w.s.noWatch) { // nothing else may have been seen since
						views = append(views, view{at: at + instant, file: file, pod: p.pod.without(), until: w.until(p), job: j, loose: loose})
					}
					views = append(views, view{at: at + instant, file: file, pod: &p.pod, until: w.until(p), job: j, loose: loose, denied: w.s.refuses && loose})
				}
			}
		}
	}
	return views
}

// filesOf is what a file may count as, given the Pod: left over from a run before it
// is none. Where the end of that run may have been seen late, or the file, it is not
// certain; the last is what there is without delay.
func (w *world) filesOf(f file, p *podTruth, loose bool) []file {
	if f.stale {
		return []file{{}}
	}
	ended := p.lastEnd // of the run before
	if !p.running && p.last != nil && !p.over() && w.restarts(p.last) {
		ended = p.last.at
	}
	if f.kind != invalid && f.kind != empty || ended == 0 {
		return []file{f}
	}
	late := loose || w.s.noWatch
	switch {
	case f.since >= ended && late: // of which the bubble's clock, beside that of the files, knows nothing
		return []file{{}, f}
	case f.since >= ended:
		return []file{f}
	case late || ended-f.since <= w.s.poll+instant:
		return []file{f, {}}
	}
	return []file{{}}
}

func (w *world) jobsSince(since, at time.Duration, loose bool) (jobs []*jobTruth) {
	if w.s.noJobs || w.s.refuses && loose {
		jobs = append(jobs, nil)
	}
	if w.s.noJobs {
		return jobs
	}
	for _, s := range w.past {
		if w.inForce(s, since, at) {
			jobs = append(jobs, &s.job)
		}
	}
	return jobs
}

func (w *world) until(s snapshot) time.Duration {
	for _, later := range w.past {
		if later.at > s.at {
			return later.at
		}
	}
	return 1 << 62
}

// inForce reports whether the snapshot was the present at some time between.
func (w *world) inForce(s snapshot, from, to time.Duration) bool {
	return s.at <= to+instant && w.until(s) >= from
}

// judgeClaims: "reported" stands in the log only after a 2xx to this very condition.
func (w *world) judgeClaims(v *verdict, reqs []kubetest.Request, claims []claim) {
	for _, c := range claims {
		found := false
		for _, r := range w.acknowledgedOf(reqs) {
			found = found || patched(r) == c.Outcome && r.Time.Sub(w.Began) <= c.at
		}
		if !found {
			v.fail("false", "claimed at %s: %v, and the server never said yes to it", c.at, c.Outcome)
		}
	}
}

// seenDeleting reports whether the reporter must know by a time that its Pod is being deleted.
func (w *world) seenDeleting(by time.Duration) bool {
	since := w.first(func(s snapshot) bool { return s.pod.deleting })
	return since >= 0 && since+instant < by && !w.s.noPods && !w.troubled(by)
}

// judgeWrites: no other Job is written to, and what stands is what was claimed last.
func (w *world) judgeWrites(v *verdict, claims []claim) {
	var last *write
	for i := range w.writes {
		x := &w.writes[i]
		if x.uid != w.uid && !w.anonymous(x.at) {
			v.fail("foreign", "at %s: another Job was written to: %v", x.at, x.outcome)
		}
		if !x.other && last != nil && last.other && !w.s.noJobs && !w.s.refuses {
			dying := last.outcome.Status == contract.True && x.outcome.Status != contract.True && w.seenDeleting(x.at)
			if x.outcome.Status == contract.Unknown || dying {
				v.fail("false", "at %s: %v over another Pod's %v", x.at, x.outcome, last.outcome)
			}
		}
		last = x
	}
	job := w.Server.Job(program.Namespace, program.JobName)
	if job != nil && job.UID == w.uid && last != nil {
		if c := saidBy(kubeapi.Condition(job, w.Kind)); c != last.outcome {
			v.fail("false", "%v stands, but %v was written last", c, last.outcome)
		}
		if c := kubeapi.Condition(job, "Other"); c == nil || c.Reason != "Kept" {
			v.fail("foreign", "another's condition is gone")
		}
	}
	// What was given up on may arrive all the same.
	if n := len(claims); n > 0 && w.code != reporter.ExitUndelivered && last != nil && !last.other && last.outcome != claims[n-1].Outcome {
		v.fail("false", "claimed %v, but %v was written last", claims[n-1].Outcome, last.outcome)
	}
	if decoy := w.Server.Job(program.Namespace, "decoy"); len(decoy.Status.Conditions) > 0 {
		v.fail("foreign", "the Job beside was written to")
	}
}

// anonymous reports whether the reporter could not know by a time which Job it is for.
func (w *world) anonymous(by time.Duration) bool {
	lost := w.first(func(s snapshot) bool { return s.job.lost })
	sent := by // what is written now may have been held up
	for _, r := range w.requests() {
		if at := r.Time.Sub(w.Began); r.Verb == "patch" && at <= by {
			sent = at
		}
	}
	for _, r := range w.requests() {
		kind, delay := parseFault(r.Fault)
		at, whole := r.Time.Sub(w.Began), kind == "" || kind == "Proceed"
		if r.Code == 200 && whole && at < sent && (r.Resource == "pods" || at+delay < lost) && r.Verb != "patch" {
			return false
		}
	}
	return true
}

func (w *world) judgeLoad(v *verdict, reqs []kubetest.Request) {
	for i, r := range reqs {
		if i >= fair && r.Time.Sub(reqs[i-fair].Time) < time.Minute {
			v.fail("load", "%d requests in the minute before %s", fair, r.Time.Sub(w.Began))
			return
		}
	}
}

func (w *world) terminationText() string {
	data, _ := os.ReadFile(w.Last)
	return string(data)
}
