package golden

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// command holds the command line of a reporter: a binary, for another architecture
// behind the emulator that runs it.
const command = "STATUS_REPORTER_COMMAND"

// TestGoldenCommand plays the golden suite with real processes, in real time.
// `make test-arch` runs it.
func TestGoldenCommand(t *testing.T) {
	line := strings.Fields(os.Getenv(command))
	if len(line) == 0 {
		t.Skipf("%s is not set; run `make test-arch`", command)
	}
	cases := suite.Load(t)
	t.Cleanup(func() { t.Logf("%d cases", len(cases)) })
	for _, c := range cases {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			r := program.NewRig(t, c, kubetest.New(t))
			r.Command = line
			r.Patience = 2 * time.Minute // an emulated process takes its time
			program.PlayGolden(r, c)
		})
	}
}
