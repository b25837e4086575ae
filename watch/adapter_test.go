package watch

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// container is one with these variables.
func container(name string, env ...string) corev1.Container {
	c := corev1.Container{Name: name}
	for _, e := range env {
		c.Env = append(c.Env, corev1.EnvVar{Name: e})
	}
	return c
}

func native(c corev1.Container) corev1.Container {
	always := corev1.ContainerRestartPolicyAlways
	c.RestartPolicy = &always
	return c
}

func TestFindContainers(t *testing.T) {
	type list = []corev1.Container
	const (
		unknown = "cannot tell which container is the adapter: set ADAPTER_CONTAINER_NAME, or name the reporter's container status-reporter"
		alone   = "the Pod has no container beside the reporter: set ADAPTER_CONTAINER_NAME"
	)
	reporter := container("status-reporter")
	tests := []struct {
		name              string
		init, containers  list
		adapterName       string
		adapter, reporter string // found
		sidecar           bool
		err               string
	}{
		{name: "reporter last", containers: list{container("work"), reporter}, adapter: "work", reporter: "status-reporter"},
		{name: "reporter first", containers: list{reporter, container("work")}, adapter: "work", reporter: "status-reporter"},
		{name: "spec order, not the alphabet's", containers: list{container("zebra"), reporter, container("ant")}, adapter: "zebra", reporter: "status-reporter"},
		{name: "reporter by its name, though another has its variables",
			containers: list{container("work", variables...), reporter}, adapter: "work", reporter: "status-reporter"},
		{name: "reporter by its variables", containers: list{container("work"), container("sr", variables...)}, adapter: "work", reporter: "sr"},
		{name: "reporter by its variables, first", containers: list{container("sr", variables...), container("work")}, adapter: "work", reporter: "sr"},
		{name: "reporter by most of its variables",
			containers: list{container("work", "JOB_NAME", "OTHER"), container("sr", "POD_NAME", "JOB_NAME")}, adapter: "work", reporter: "sr"},
		{name: "a variable named twice counts once",
			containers: list{container("work", "JOB_NAME", "JOB_NAME", "JOB_NAME"), container("sr", "POD_NAME", "JOB_NAME")}, adapter: "work", reporter: "sr"},
		{name: "a tie", containers: list{container("a", "JOB_NAME"), container("b", "POD_NAME")}, err: unknown},
		{name: "a tie of three", containers: list{container("a", "JOB_NAME"), container("b", "POD_NAME"), container("c", "JOB_NAME")}, err: unknown},
		{name: "a tie below the most", containers: list{container("a", "JOB_NAME"), container("b", "POD_NAME"), container("sr", variables...)}, adapter: "a", reporter: "sr"},
		{name: "none of its variables", containers: list{container("a"), container("b")}, err: unknown},
		{name: "no container beside it", containers: list{reporter}, reporter: "status-reporter", err: alone},
		{name: "native sidecar", init: list{native(reporter)}, containers: list{container("work"), container("more")},
			adapter: "work", reporter: "status-reporter", sidecar: true},
		{name: "native sidecar by its variables", init: list{container("setup"), native(container("sr", variables...))}, containers: list{container("work", "JOB_NAME")},
			adapter: "work", reporter: "sr", sidecar: true},
		{name: "another native sidecar", init: list{native(container("proxy"))}, containers: list{container("work"), reporter},
			adapter: "work", reporter: "status-reporter"},
		{name: "native sidecar with fewer variables than another", init: list{native(container("proxy", "POD_NAME"))}, containers: list{container("work"), container("sr", variables...)},
			adapter: "work", reporter: "sr"},
		{name: "a tie across the lists", init: list{native(container("a", variables...))}, containers: list{container("b", variables...)}, err: unknown},
		{name: "an init container is no sidecar", init: list{container("status-reporter")}, containers: list{container("work")},
			adapter: "work", reporter: "status-reporter"},

		{name: "by name", containers: list{container("proxy"), container("work"), reporter}, adapterName: "work", adapter: "work", reporter: "status-reporter"},
		{name: "by name, an init container", init: list{native(reporter), container("work")}, containers: list{container("main")}, adapterName: "work",
			adapter: "work", reporter: "status-reporter", sidecar: true},
		{name: "by name, the reporter unknown", containers: list{container("a"), container("b")}, adapterName: "b", adapter: "b"},
		{name: "by a name that is in no container", containers: list{container("work"), reporter}, adapterName: "wrok", reporter: "status-reporter",
			err: `ADAPTER_CONTAINER_NAME: the Pod has no container "wrok"`},
		{name: "by the reporter's own name", containers: list{container("work"), reporter}, adapterName: "status-reporter", reporter: "status-reporter",
			err: `ADAPTER_CONTAINER_NAME: container "status-reporter" is the reporter itself`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := &corev1.Pod{Spec: corev1.PodSpec{InitContainers: test.init, Containers: test.containers}}
			r, err := findContainers(p, test.adapterName, variables)
			var text string
			if err != nil {
				text = err.Error()
			}
			if text != test.err {
				t.Errorf("error %q, want %q", text, test.err)
			}
			if got := nameOf(r.adapter); got != test.adapter {
				t.Errorf("adapter %q, want %q", got, test.adapter)
			}
			if got := nameOf(r.reporter); got != test.reporter {
				t.Errorf("reporter %q, want %q", got, test.reporter)
			}
			if r.sidecar != test.sidecar {
				t.Errorf("sidecar %v, want %v", r.sidecar, test.sidecar)
			}
		})
	}
}

func nameOf(c *corev1.Container) string {
	if c == nil {
		return ""
	}
	return c.Name
}

func TestRestarts(t *testing.T) {
	const (
		always    = corev1.RestartPolicyAlways
		onFailure = corev1.RestartPolicyOnFailure
		never     = corev1.RestartPolicyNever
	)
	rule := func(op corev1.ContainerRestartRuleOnExitCodesOperator, codes ...int32) corev1.ContainerRestartRule {
		return corev1.ContainerRestartRule{
			Action:    corev1.ContainerRestartRuleActionRestart,
			ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: op, Values: codes},
		}
	}
	const (
		in    = corev1.ContainerRestartRuleOnExitCodesOpIn
		notIn = corev1.ContainerRestartRuleOnExitCodesOpNotIn
	)
	type rules = []corev1.ContainerRestartRule
	tests := []struct {
		name  string
		pod   corev1.RestartPolicy
		own   corev1.RestartPolicy // the container's; empty: none
		rules rules
		again map[int32]bool
	}{
		{name: "Pod Never", pod: never, again: map[int32]bool{0: false, 1: false}},
		{name: "Pod OnFailure", pod: onFailure, again: map[int32]bool{0: false, 1: true}},
		{name: "Pod Always", pod: always, again: map[int32]bool{0: true, 1: true}},
		{name: "Pod's by default", again: map[int32]bool{0: true, 1: true}},
		{name: "own Never before OnFailure", pod: onFailure, own: never, again: map[int32]bool{0: false, 1: false}},
		{name: "own OnFailure before Never", pod: never, own: onFailure, again: map[int32]bool{0: false, 1: true}},
		{name: "own Always before Never", pod: never, own: always, again: map[int32]bool{0: true, 1: true}},
		{name: "rule In", pod: never, own: never, rules: rules{rule(in, 42, 43)}, again: map[int32]bool{0: false, 1: false, 42: true, 43: true}},
		{name: "rule NotIn", pod: never, own: never, rules: rules{rule(notIn, 0, 1)}, again: map[int32]bool{0: false, 1: false, 42: true}},
		{name: "the first match of two", pod: never, own: never, rules: rules{rule(in, 1), rule(notIn, 0, 1, 2)}, again: map[int32]bool{0: false, 1: true, 2: false, 3: true}},
		{name: "no match: own policy", pod: never, own: onFailure, rules: rules{rule(in, 0)}, again: map[int32]bool{0: true, 1: true}},
		{name: "rules without a policy of its own", pod: never, rules: rules{rule(in, 1)}, again: map[int32]bool{1: false}},
		{name: "a rule without exit codes", pod: never, own: never, rules: rules{{Action: corev1.ContainerRestartRuleActionRestart}}, again: map[int32]bool{0: false, 1: false}},
		{name: "an unknown operator", pod: never, own: never, rules: rules{rule("Near", 1)}, again: map[int32]bool{1: false, 2: false}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := &corev1.Container{RestartPolicyRules: test.rules}
			if test.own != "" {
				own := corev1.ContainerRestartPolicy(test.own)
				c.RestartPolicy = &own
			}
			for code, want := range test.again {
				if got := restarts(c, test.pod, code); got != want {
					t.Errorf("exit code %d: restarted %v, want %v", code, got, want)
				}
			}
		})
	}
}

func TestMayRestart(t *testing.T) {
	own := func(name string, policy corev1.ContainerRestartPolicy) change {
		return func(p *corev1.Pod) {
			for i := range p.Spec.Containers {
				if c := &p.Spec.Containers[i]; c.Name == name {
					c.RestartPolicy = &policy
				}
			}
		}
	}
	tests := []struct {
		name string
		pod  *corev1.Pod
		want bool
	}{
		{"Never", pod(), false},
		{"OnFailure", pod(restartPolicy(corev1.RestartPolicyOnFailure)), true},
		{"the API's default", pod(restartPolicy("")), true},
		{"its own OnFailure", pod(own("adapter", corev1.ContainerRestartPolicyOnFailure)), true},
		{"its own Always", pod(own("adapter", corev1.ContainerRestartPolicyAlways)), true},
		{"its own Never", pod(own("adapter", corev1.ContainerRestartPolicyNever)), false},
		{"another container's OnFailure", pod(adds("proxy", stateRunning), own("proxy", corev1.ContainerRestartPolicyOnFailure)), false},
		{"a rule of its own", pod(hasRules("adapter", restartAlone(42))), true},
		{"a rule of another container", pod(adds("proxy", stateRunning), hasRules("proxy", restartAll(42))), true},
		{"a rule of the reporter", pod(hasRules(reporterName, restartAlone(42))), true},
		{"a rule of an init container", pod(addsInit(func() corev1.Container {
			c := container("setup")
			c.RestartPolicyRules = []corev1.ContainerRestartRule{restartAll(42)}
			return c
		}(), terminated(0, "Completed"))), true},
		{"a native sidecar beside it", pod(asSidecar, addsInit(native(container("proxy")), stateRunning)), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := findContainers(test.pod, "", variables)
			if err != nil {
				t.Fatal(err)
			}
			if got := factsOf(test.pod, r).mayRestart; got != test.want {
				t.Errorf("may have been started again: %v, want %v", got, test.want)
			}
		})
	}
	if !mayRestart(pod(restartPolicy(corev1.RestartPolicyOnFailure)), nil) || mayRestart(pod(), nil) {
		t.Error("where the adapter is not known it goes by the Pod's policy")
	}
}

// TestRestartsReporter: the container's own policy comes before the Pod's.
func TestRestartsReporter(t *testing.T) {
	own := func(policy corev1.ContainerRestartPolicy) change {
		return func(p *corev1.Pod) { p.Spec.Containers[1].RestartPolicy = &policy }
	}
	for _, tt := range []struct {
		name string
		pod  *corev1.Pod
		want bool
	}{
		{"not known", nil, false},
		{"Never", pod(), false},
		{"OnFailure", pod(restartPolicy(corev1.RestartPolicyOnFailure)), true},
		{"Never, the container OnFailure", pod(own(corev1.ContainerRestartPolicyOnFailure)), true},
		{"OnFailure, the container Never", pod(restartPolicy(corev1.RestartPolicyOnFailure), own(corev1.ContainerRestartPolicyNever)), false},
		{"Never, a rule for a code: that is what was asked for", pod(hasRules(reporterName, restartAlone(4))), false},
		{"Never, a native sidecar", pod(asSidecar), false},
		{"OnFailure, a native sidecar", pod(restartPolicy(corev1.RestartPolicyOnFailure), asSidecar), true},
		{"OnFailure, which one is the reporter cannot be told", pod(restartPolicy(corev1.RestartPolicyOnFailure), func(p *corev1.Pod) { p.Spec.Containers[1].Name = "another" }), true},
	} {
		s := newTestState(Config{})
		if tt.pod != nil {
			s.takePod(tt.pod)
		}
		if got := s.pod.restartsReporter(); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
