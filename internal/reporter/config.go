package reporter

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/env"
)

// config is the environment, as the program's package comment lists it.
type config struct {
	job, namespace, pod string
	resultsPath         string
	poll, wait          time.Duration
	conditionType       batchv1.JobConditionType
	logLevel            slog.Level
	adapter             string
	serviceAccountDir   string
	host, port          string

	failureExitCode                 int
	outcomeLabel, detailsAnnotation string // keys; empty: none
}

// variables are the reporter's own: the container that carries the most of
// them is the reporter's, where none is named so.
var variables = []string{
	"JOB_NAME", "JOB_NAMESPACE", "POD_NAME", "RESULTS_PATH", "POLL_INTERVAL_SECONDS", "MAX_WAIT_TIME_SECONDS",
	"CONDITION_TYPE", "LOG_LEVEL", "ADAPTER_CONTAINER_NAME", "SERVICE_ACCOUNT_DIR",
	"FAILURE_EXIT_CODE", "OUTCOME_LABEL", "DETAILS_ANNOTATION",
}

// controllerTypes are the Job controller's: whoever sets FailureTarget makes it
// kill the Job.
var controllerTypes = []batchv1.JobConditionType{
	batchv1.JobComplete, batchv1.JobFailed, batchv1.JobSuspended, batchv1.JobFailureTarget, batchv1.JobSuccessCriteriaMet,
}

// parser collects every problem of the environment, each under its variable's name.
// Its methods never fail: for a wrong variable they return the zero value, or what
// does least harm.
type parser struct {
	getenv   func(string) string
	problems []string
}

func (p *parser) fail(name, format string, args ...any) {
	p.problems = append(p.problems, name+": "+fmt.Sprintf(format, args...))
}

func (p *parser) get(name, fallback string) string { return env.Get(p.getenv, name, fallback) }

// parseConfig reads the environment. The problems name every variable that is
// wrong; the config is then good for reporting just that, as far as
// config.addressed says. Warnings are what is wrong and does not matter.
func parseConfig(getenv func(string) string) (c config, warnings, problems []string) {
	p := &parser{getenv: getenv}
	c.job = p.name("JOB_NAME", validation.IsDNS1123Subdomain)
	c.namespace = p.name("JOB_NAMESPACE", validation.IsDNS1123Label)
	c.pod = p.name("POD_NAME", validation.IsDNS1123Subdomain)
	c.adapter = p.optional("ADAPTER_CONTAINER_NAME", "is no container's name", validation.IsDNS1123Label) // that it is none of the Pod's costs the Pod's news, not the report
	c.resultsPath = p.path("RESULTS_PATH", contract.DefaultResultsPath)
	c.serviceAccountDir = p.get("SERVICE_ACCOUNT_DIR", "/var/run/secrets/kubernetes.io/serviceaccount")
	c.poll = p.seconds("POLL_INTERVAL_SECONDS", "2")
	c.wait = p.seconds("MAX_WAIT_TIME_SECONDS", "300")
	if c.poll >= c.wait && c.wait > 0 {
		p.fail("POLL_INTERVAL_SECONDS", "must be less than MAX_WAIT_TIME_SECONDS, %.0f seconds, and is %.0f (2 where it is not set): lower the one or raise the other", c.wait.Seconds(), c.poll.Seconds())
	}
	c.conditionType = p.conditionType("CONDITION_TYPE")
	c.failureExitCode = p.failureExitCode("FAILURE_EXIT_CODE")
	c.outcomeLabel, c.detailsAnnotation = p.key("OUTCOME_LABEL"), p.key("DETAILS_ANNOTATION")
	c.host = p.get("KUBERNETES_SERVICE_HOST", "")
	c.port = p.port("KUBERNETES_SERVICE_PORT", "443")
	if c.host == "" {
		p.fail("KUBERNETES_SERVICE_HOST", "not set; the reporter runs in a Pod, where the kubelet sets it")
	}
	if err := c.logLevel.UnmarshalText([]byte(p.get("LOG_LEVEL", "info"))); err != nil {
		c.logLevel = slog.LevelInfo // a typo here must not cost the report
		warnings = append(warnings, fmt.Sprintf("LOG_LEVEL: must be debug, info, warn or error, is %q; using info", env.Shorten(p.get("LOG_LEVEL", ""))))
	}
	return c, warnings, p.problems
}

// addressed reports whether the Job is known, whatever else is wrong.
func (c *config) addressed() bool {
	return c.job != "" && c.namespace != "" && c.host != "" && c.port != ""
}

func (p *parser) name(name string, check func(string) []string) string {
	v := p.get(name, "")
	if v == "" {
		p.fail(name, "required, but not set; take it by fieldRef from %s", fields[name])
		return ""
	}
	if problems := check(v); len(problems) > 0 {
		p.fail(name, "%q: %s", env.Shorten(v), problems[0])
		return ""
	}
	return v
}

// fields are where the Pod's template has the names from, as deploy/job.yaml does.
var fields = map[string]string{
	"JOB_NAME":      "metadata.labels['batch.kubernetes.io/job-name']",
	"JOB_NAMESPACE": "metadata.namespace",
	"POD_NAME":      "metadata.name",
}

// optional is empty where it is not set, or wrong: wrong says what it is then.
func (p *parser) optional(name, wrong string, check func(string) []string) string {
	v := p.get(name, "")
	if v == "" {
		return ""
	}
	if problems := check(v); len(problems) > 0 {
		p.fail(name, "%q %s: %s", env.Shorten(v), wrong, problems[0])
		return ""
	}
	return v
}

// port is empty where it is wrong.
func (p *parser) port(name, fallback string) string {
	v := p.get(name, fallback)
	if n, err := strconv.ParseUint(v, 10, 16); err != nil || n == 0 {
		p.fail(name, "must be a port, from 1 to 65535, is %q; the kubelet sets it, and nothing else has to", env.Shorten(v))
		return ""
	}
	return v
}

func (p *parser) path(name, fallback string) string {
	v := p.get(name, fallback)
	if !filepath.IsAbs(v) {
		p.fail(name, "must be an absolute path, is %q", env.Shorten(v))
		return v
	}
	if strings.HasSuffix(v, "/") || strings.HasSuffix(v, "/.") || isDirectory(v) {
		p.fail(name, "must be the path of the result file, but %q is a directory", env.Shorten(v))
	}
	return filepath.Clean(v)
}

// isDirectory reports whether a path is a directory's, as far as that is known
// within a second: a network filesystem may never answer.
func isDirectory(path string) bool {
	is := make(chan bool, 1)
	go func() {
		info, err := os.Stat(path)
		is <- err == nil && info.IsDir()
	}()
	select {
	case answer := <-is:
		return answer
	case <-time.After(time.Second):
		return false
	}
}

// seconds is 0 where the variable is wrong.
func (p *parser) seconds(name, fallback string) time.Duration {
	v := p.get(name, fallback)
	n, err := strconv.ParseUint(v, 10, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		p.fail(name, "must be a whole number of seconds, is %q", env.Shorten(v))
	case err != nil || n > uint64(math.MaxInt64/time.Second):
		p.fail(name, "must be at most %d seconds, is %q", math.MaxInt64/time.Second, env.Shorten(v))
	case n == 0:
		p.fail(name, "must be at least 1 second, is %q", env.Shorten(v))
	default:
		return time.Duration(n) * time.Second
	}
	return 0
}

func (p *parser) conditionType(name string) batchv1.JobConditionType {
	v := batchv1.JobConditionType(p.get(name, contract.DefaultConditionType))
	if problems := validation.IsQualifiedName(string(v)); len(problems) > 0 {
		p.fail(name, "%q is not a condition type: %s", env.Shorten(string(v)), problems[0])
		return contract.DefaultConditionType
	}
	if slices.Contains(controllerTypes, v) {
		p.fail(name, "%s belongs to the Job controller; take another, such as %s", v, contract.DefaultConditionType)
		return contract.DefaultConditionType
	}
	return v
}

// failureExitCode is 0 where the variable is wrong or not set. 1 to 3, 78 and all from
// 126 on have a meaning already, here or for shells and signals.
func (p *parser) failureExitCode(name string) int {
	v := p.get(name, "0")
	n, err := strconv.ParseUint(v, 10, 7)
	if err != nil || n != 0 && n < 4 || n == ExitMisconfigured || n > 125 {
		p.fail(name, "must be 0, or from 4 to 125 but not %d, is %q", ExitMisconfigured, env.Shorten(v))
		return 0
	}
	return int(n)
}

// key is that of a label or an annotation; empty where it is wrong or not set.
func (p *parser) key(name string) string {
	v := p.optional(name, "is no key", validation.IsQualifiedName)
	if domain, _, found := strings.Cut("."+v, "/"); found && (strings.HasSuffix(domain, ".kubernetes.io") || strings.HasSuffix(domain, ".k8s.io")) {
		p.fail(name, "%q belongs to the Kubernetes project; take a domain of your own, as in example.com/outcome", env.Shorten(v))
		return ""
	}
	return v
}
