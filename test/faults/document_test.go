package faults

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/reporter"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

var update = flag.Bool("update", false, "rewrite docs/faults.md")

// TestFaultsDocument keeps docs/faults.md what the tables of stories say.
func TestFaultsDocument(t *testing.T) {
	const path = "../../docs/faults.md"
	want := faultsDocument()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not what the tests say; run: go test ./test/faults -run TestFaultsDocument -update (-want +got)\n%s", path, diff)
	}
}

func faultsDocument() []byte {
	var b bytes.Buffer
	b.WriteString(`# What goes wrong, and what happens then

Each row is a test that plays it through the whole program: real files, TLS to
an API server double, and in the last section to a real one too, the condition
read back from the Job. This page is generated from the tests' tables
(test/faults, test/program). "done" is the adapter's own
result; a lost report is told in the log, in the termination message and by exit
code 3, and nowhere does the log claim a report that the server has not
acknowledged. What a Pod looks like at one moment is in the golden suite
(testdata/containers).

A row that says "badly" is a test for each of these answers: `)
	for i, bad := range program.BadAnswers {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(bad.Name)
	}
	b.WriteString(".\n\n")
	section := func(title, test string, rows func()) {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n| what goes wrong | what happens |\n| --- | --- |\n", title, test)
		rows()
		b.WriteString("\n")
	}
	stories := func(list []story) func() {
		return func() {
			for _, s := range list {
				fmt.Fprintf(&b, "| %s | %s |\n", s.Name, ofStory(&s))
			}
		}
	}
	files := func(list []fileStory) func() {
		return func() {
			for _, s := range list {
				fmt.Fprintf(&b, "| %s | %s |\n", s.name, happens(s.want))
			}
		}
	}
	explored, err := os.ReadFile("../../watch/testdata/explored.md")
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(&b, "## Every order of events\n\n%s\n", explored)
	section("The API server on bad days", "TestAPIFaults. The adapter writes its result or crashes 10 s after the start, unless the row says otherwise; times are of the whole run.", stories(apiFaults()))
	section("Pods", "TestPodFaults.", stories(podFaults()))
	section("SIGTERM and deletion", "TestStopFaults. A second container, a grace period of 30 s unless the row says otherwise.", stories(stopFaults()))
	section("The reporter as a native sidecar", "TestSidecarFaults.", stories(sidecarFaults()))
	section("Native sidecars that are started again, or have little time", "TestSidecarRestarts.", stories(sidecarRestarts()))
	section("The kubelet's own stops", "TestKubeletFaults. SIGTERM without a deletionTimestamp; the API shows nothing before all containers have ended. Where SIGKILL is named, what stands on the Job by then counts.", stories(kubeletFaults()))
	section("Whose file it is", "TestRunFaults. A result belongs to the run of the adapter that wrote it.", stories(runFaults()))
	section("Crashes of long ago", "TestOldCrashFaults.", stories(oldCrashFaults()))
	section("Adapters that never start, and ends that are told late", "TestInitFaults, TestEndFaults.", stories(append(initFaults(), endFaults()...)))
	section("Verdicts that come and go", "TestWithdrawnFaults. Each new one has time, requests and words of its own.", stories(withdrawnFaults()))
	section("Another Pod's report", "TestSupersededFaults.", stories(supersededFaults()))
	section("Several reporters, and Pods of no Job", "TestSeveralFaults. The outcome is that of the reporter whose adapter is called the adapter; the other one has another CONDITION_TYPE, and its own outcome is checked as well.", stories(severalFaults()))
	section("Objects that cannot be read", "TestReadingFaults.", stories(readingFaults()))
	section("Refusals that pass", "TestRefusalFaults. 403s after an outage, of Roles that change, of a mesh.", stories(refusalFaults()))
	section("A slow server", "TestSlowFaults. A grace period of 30 s unless the row says otherwise.", stories(slowFaults()))
	section("What carries the outcome further", "TestOutcomeFaults. With OUTCOME_LABEL, DETAILS_ANNOTATION and FAILURE_EXIT_CODE=4; a refusal is of the first PATCH alone, unless the row says otherwise.", stories(outcomeFaults()))
	section("Two things at once", "TestCombinedFaults.", stories(combinedFaults()))
	section("Settings", "TestSettingFaults.", stories(settingFaults()))
	section("Files as adapters write them", "TestFilesAsAdaptersWriteThem. Each with inotify and with polling alone.", files(asAdaptersWrite()))
	section("Files as a hostile adapter leaves them", "TestHostileFiles, TestHostileFilesWhileTheAdapterRuns. Each with inotify and with polling alone.", files(asHostileAdaptersLeave()))
	section("On a real API server", realTest(), func() { deliveries(&b) })
	return b.Bytes()
}

// realTest is what is said above the deliveries.
func realTest() string {
	var bad []string
	for _, d := range program.Deliveries(kubetest.Newest) {
		if _, answer, ok := strings.Cut(d.Name, d.Badly+": "); ok && d.Badly != "" && !slices.Contains(bad, answer) {
			bad = append(bad, answer)
		}
	}
	return `TestDelivery plays these on the double, and TestAPIServer ("make test-apiserver") in
real time on a real kube-apiserver with its etcd. There a proxy makes what goes
wrong on the way, and all else is the server's own: its refusals, its restart, its
policies, a Pod that it deletes. Times are from the last thing that is named. A row
that says "badly" is a test for each of these answers: ` + strings.Join(bad, "; ") + "."
}

// deliveries are rows of both servers; those that differ by an answer are one.
func deliveries(b *bytes.Buffer) {
	said := map[string]bool{}
	for _, d := range program.Deliveries(kubetest.Newest) {
		name := d.Name
		if d.Badly != "" {
			name = d.Badly
		}
		if said[name] {
			continue
		}
		said[name] = true
		text := happens(d.Want)
		if d.Want == nothing && d.Exit != reporter.ExitUndelivered {
			text = fmt.Sprintf("nothing is told: exit %d", d.Exit)
		}
		if d.Within > 0 {
			text += fmt.Sprintf(", within %.0f s", d.Within.Seconds())
		}
		fmt.Fprintf(b, "| %s | %s |\n", name, text)
	}
}

// ofStory is what becomes of a story.
func ofStory(s *story) string {
	var text string
	switch {
	case s.Untold:
		text = fmt.Sprintf("nothing is told: exit %d", s.Exit)
	case s.Want == nothing && s.Exit != reporter.ExitUndelivered:
		text = fmt.Sprintf("lost, and told: exit %d", s.Exit)
	default:
		text = happens(s.Want)
	}
	if s.Within > 0 {
		text += fmt.Sprintf(", within %.0f s", s.Within.Seconds())
	}
	return text
}

func happens(want contract.Outcome) string {
	switch want {
	case good:
		return "done"
	case nothing:
		return "lost, and told: exit 3"
	}
	return fmt.Sprintf("%s %s: %s", want.Status, want.Reason, strings.ReplaceAll(want.Message, "|", `\|`))
}
