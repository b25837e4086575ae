package apiserver_test

import (
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/apiserver"
)

// long is a name of 63 characters, the longest that a Job can have.
var long = strings.Repeat("adapter", 9)

// reporter gives the Job one, with variables as NAME=value, and whether it is a
// native sidecar.
func reporter(sidecar bool, env ...string) func(*batchv1.Job) {
	c := corev1.Container{Name: "status-reporter", Image: "status-reporter"}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value})
	}
	return func(j *batchv1.Job) {
		pod := &j.Spec.Template.Spec
		if sidecar {
			always := corev1.ContainerRestartPolicyAlways
			c.RestartPolicy = &always
			pod.InitContainers = append(pod.InitContainers, corev1.Container{Name: "init", Image: "init"}, c)
		} else {
			pod.Containers = append(pod.Containers, c)
		}
	}
}

func indexed(completions int32) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		mode := batchv1.IndexedCompletion
		j.Spec.CompletionMode, j.Spec.Completions = &mode, &completions
	}
}

func both(changes ...func(*batchv1.Job)) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		for _, change := range changes {
			change(j)
		}
	}
}

// named is a reporter that its variables alone tell, beside a container that
// has a CONDITION_TYPE of its own.
func named(j *batchv1.Job) {
	pod := &j.Spec.Template.Spec
	pod.Containers[0].Env = []corev1.EnvVar{{Name: "CONDITION_TYPE", Value: "Adapted"}}
	reporter(false, "JOB_NAME=job", "POD_NAME=pod", "CONDITION_TYPE= Validated ")(j)
	pod.Containers[1].Name = "sidecar"
}

// knowing is a reporter that is known as the one with the most variables, beside an
// adapter that has some of them.
func knowing(j *batchv1.Job) {
	reporter(false, "JOB_NAME=job", "POD_NAME=pod", "CONDITION_TYPE=Adapted")(j)
	j.Spec.Template.Spec.Containers[0] = j.Spec.Template.Spec.Containers[1]
	j.Spec.Template.Spec.Containers[0].Name = "adapter"
	j.Spec.Template.Spec.Containers = j.Spec.Template.Spec.Containers[:1]
	reporter(false, "JOB_NAME=job", "JOB_NAMESPACE=namespace", "POD_NAME=pod", "CONDITION_TYPE=Validated")(j)
	j.Spec.Template.Spec.Containers[1].Name = "sidecar"
}

// byIndex has CONDITION_TYPE from a field, and INDEX for a reference to it.
func byIndex(value string) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		indexed(3)(j)
		reporter(false)(j)
		index := corev1.EnvVar{Name: "INDEX", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{
			FieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']",
		}}}
		c := &j.Spec.Template.Spec.Containers[1]
		if value == "" {
			index.Name = "CONDITION_TYPE"
			c.Env = []corev1.EnvVar{index}
		} else {
			c.Env = []corev1.EnvVar{index, {Name: "CONDITION_TYPE", Value: value}}
		}
	}
}

func meta(labels, annotations map[string]string) func(*batchv1.Job) {
	return func(j *batchv1.Job) { j.Labels, j.Annotations = labels, annotations }
}

func protected(j *batchv1.Job) { j.Finalizers = []string{"test/keep"} }

func under(kinds ...batchv1.JobConditionType) batchv1.JobStatus {
	return batchv1.JobStatus{StartTime: &past, Active: 1, Ready: new(int32), Conditions: is(kinds...)}
}

func attempts() []attempt {
	return append(append(allowed(), strangers()...), refused()...)
}

func allowed() []attempt {
	ours := reporter(false, "OUTCOME_LABEL=example.com/outcome", "DETAILS_ANNOTATION=example.com/details")
	return []attempt{
		{name: "the first report"},
		{name: "another report in its place", status: under("Available"), body: condition(`"type":"Available","status":"False"`)},
		{name: "Unknown", body: condition(`"type":"Available","status":"Unknown","reason":"AdapterInterrupted"`)},
		{name: "with the Job's UID and version", body: `{"metadata":{"uid":"UID","resourceVersion":"VERSION"},` + good[1:]},
		{name: "on a Job that is suspended", state: "suspended"},
		{name: "on a Job that is complete", state: "complete"},
		{name: "on a Job that has failed", state: "failed"},
		{name: "as a JSON patch", status: under("Other"), kind: apiserver.JSONPatch,
			body: `[{"op":"add","path":"/status/conditions/-","value":{"type":"Available","status":"True"}}]`},
		{name: "128 and 1024 characters, of more bytes", body: condition(`"type":"Available","status":"True","reason":"` +
			strings.Repeat("ü", 128) + `","message":"` + strings.Repeat("𝛑", 1024) + `"`)},
		{name: "the type of CONDITION_TYPE", change: reporter(false, "CONDITION_TYPE=Validated"), body: condition(`"type":"Validated","status":"True"`)},
		{name: "the type of a native sidecar's", change: reporter(true, "CONDITION_TYPE=Validated"), body: condition(`"type":"Validated","status":"True"`)},
		{name: "the type of a reporter of another name", change: named, body: condition(`"type":"Validated","status":"True"`)},
		{name: "the type of a namespace", annotations: map[string]string{"status-reporter/condition-type": "Validated, Applied"}, body: condition(`"type":"Applied","status":"True"`)},
		{name: "the type of an index, by reference", change: byIndex("Shard$(INDEX)Ready"), pod: "job-2-bcdfg", body: condition(`"type":"Shard2Ready","status":"True"`)},
		{name: "the type of an index, by field", change: byIndex(""), pod: "job-2-bcdfg", body: condition(`"type":"2","status":"True"`)},
		{name: "the type by reference to another variable", change: reporter(false, "TEAM=Blue", "CONDITION_TYPE=$(TEAM)Ready"), body: condition(`"type":"BlueReady","status":"True"`)},
		{name: "the last of two types", change: reporter(false, "CONDITION_TYPE=One", "CONDITION_TYPE=Two"), body: condition(`"type":"Two","status":"True"`)},
		{name: "the type of a reporter beside an adapter that knows its Job", change: knowing, body: condition(`"type":"Validated","status":"True"`)},
		{name: "that CONDITION_TYPE is none", change: reporter(false, "CONDITION_TYPE=Not a type")},
		{name: "that CONDITION_TYPE is the Job controller's", change: reporter(false, "CONDITION_TYPE=FailureTarget")},
		{name: "that CONDITION_TYPE refers to nothing", change: reporter(false, "CONDITION_TYPE=Shard$(INDEX)Ready")},
		{name: "outcome label and details annotation", change: ours,
			body: `{"metadata":{"labels":{"example.com/outcome":"False"},"annotations":{"example.com/details":"{}"}},` + good[1:]},
		{name: "the same over those of a report before", change: both(ours, meta(map[string]string{"a": "b", "example.com/outcome": "True"}, map[string]string{"c": "d", "example.com/details": "{}"})),
			body: `{"metadata":{"labels":{"example.com/outcome":"Unknown"},"annotations":{"example.com/details":null}},` + good[1:]},
		{name: "label and annotation of a namespace", annotations: map[string]string{"status-reporter/outcome-label": "outcome", "status-reporter/details-annotation": "details"},
			body: `{"metadata":{"labels":{"outcome":"True"},"annotations":{"details":"{}"}},` + good[1:]},
		{name: "beside labels, annotations and finalizers", change: both(protected, meta(map[string]string{"a": "b"}, map[string]string{"c": "d"}))},
		{name: "by the namespace's default account", account: "default", change: func(j *batchv1.Job) { j.Spec.Template.Spec.ServiceAccountName = "" }},
		{name: "a name with dots", job: "a.b.c", pod: "a.b.c-bcdfg"},
		{name: "a name that ends like an index", job: "job-0", pod: "job-0-bcdfg"},
		{name: "a name of 57 characters", job: long[:57], pod: long[:57] + "-bcdfg"},
		{name: "a name of 58 characters", job: long[:58], pod: long[:58] + "bcdfg"},
		{name: "a name of 63 characters", job: long, pod: long[:58] + "bcdfg"},
		{name: "index 0", change: indexed(1), pod: "job-0-bcdfg"},
		{name: "index 10 of 11", change: indexed(11), pod: "job-10-bcdfg"},
		{name: "an index of a name of 61 characters, the longest for it", job: long[:61], change: indexed(10), pod: long[:55] + "-9-bcdfg"},
		{name: "an index of a name of 60 characters", job: long[:60], change: indexed(100), pod: long[:54] + "-42-bcdfg"},
		{name: "an index of a name that ends like one", job: "job-0", change: indexed(1), pod: "job-0-0-bcdfg"},
	}
}

// strangers have a token, and not one of a Pod of the Job.
func strangers() []attempt {
	const not = "does not belong to Job "
	return []attempt{
		{name: "a token of no Pod", pod: "-", want: "the token is bound to no Pod"},
		{name: "another account's Pod", account: "other", want: ":status-reporter-sa, and the token is not of that ServiceAccount"},
		{name: "another namespace's Pod", account: elsewhere, want: "the token is not of that ServiceAccount"},
		{name: "another Job's Pod", pod: "other-bcdfg", want: "by its name Pod other-bcdfg " + not + "job."},
		{name: "a Pod of job-0, for job", pod: "job-0-bcdfg", want: not},
		{name: "a Pod of job, for job-0", job: "job-0", pod: "job-bcdfg", want: not},
		{name: "a Pod of job-bcdfg, for job", pod: "job-bcdfg-bcdfg", want: not},
		{name: "a Pod of job.bcdfg, for job", pod: "job.bcdfg", want: not},
		{name: "a Pod of a, for a.b", job: "a.b", pod: "a-bcdfg", want: not},
		{name: "a Pod of axb, for a.b", job: "a.b", pod: "axb-bcdfg", want: not},
		{name: "a suffix of four", pod: "job-bcdf", want: not},
		{name: "a suffix that is never drawn", pod: "job-alpha", want: not},
		{name: "no suffix", pod: "job", want: not},
		{name: "a name that differs before the cut", job: long, pod: "x" + long[1:58] + "bcdfg", want: not},
		{name: "a long name that is cut too early", job: long, pod: long[:57] + "-bcdfg", want: not},
		{name: "no index in an Indexed Job", change: indexed(1), want: not},
		{name: "an index that there is not", change: indexed(2), pod: "job-2-bcdfg", want: not},
		{name: "an index that is written otherwise", change: indexed(9), pod: "job-01-bcdfg", want: not},
		{name: "an index beyond all numbers", change: indexed(9), pod: "job-99999999999999999999-bcdfg", want: not},
		{name: "an index of a long name that is cut like another", job: long[:61], change: indexed(9), pod: long[:58] + "bcdfg", want: not},
		{name: "another index's type", change: byIndex("Shard$(INDEX)Ready"), pod: "job-1-bcdfg", body: condition(`"type":"Shard2Ready","status":"True"`),
			want: "of this Job's conditions a reporter may change Shard1Ready alone."},
	}
}

// refused are wrong by what they write.
func refused() []attempt {
	const (
		others  = "of this Job's conditions a reporter may change "
		counter = "a reporter may change nothing of a Job's status but its condition."
		other   = "a reporter may not change a Job's finalizers, owners or other metadata."
		twice   = "a condition may be set, and neither removed nor given twice."
	)
	typed := func(t string) string { return condition(`"type":"` + t + `","status":"True"`) }
	labelled := reporter(false, "OUTCOME_LABEL=example.com/outcome", "DETAILS_ANNOTATION=example.com/details")
	return []attempt{
		{name: "another type", body: typed("Validated"), want: others + "Available alone."},
		{name: "its own and another type", body: `{"status":{"conditions":[{"type":"Available","status":"True"},{"type":"Other","status":"True"}]}}`, want: others},
		{name: "no type", body: typed(""), want: others},
		{name: "FailureTarget, which kills the Job", body: typed("FailureTarget"), want: others},
		{name: "SuccessCriteriaMet, which ends it", body: typed("SuccessCriteriaMet"), want: others, needs: kubetest.SuccessCriteria, codeWithout: 422},
		{name: "Suspended", state: "suspended", body: condition(`"type":"Suspended","status":"False"`), want: others},
		{name: "another's reason", status: under("Other"), body: condition(`"type":"Other","status":"True","reason":"X"`), want: others},
		{name: "another's removal", status: under("Other"), body: `{"status":{"conditions":[{"$patch":"delete","type":"Other"}]}}`, want: others},
		{name: "a merge patch that drops the others", status: under("Other"), kind: apiserver.Merge, body: good, want: others},
		{name: "Available where the reporter has another type", change: reporter(false, "CONDITION_TYPE=Validated"), want: others + "Validated alone."},
		{name: "Available where the namespace has another type", annotations: map[string]string{"status-reporter/condition-type": "Validated"}, want: others + "Validated alone."},
		{name: "the template's type where the namespace has another", change: reporter(false, "CONDITION_TYPE=Applied"),
			annotations: map[string]string{"status-reporter/condition-type": "Validated"}, body: typed("Applied"), want: others + "Validated alone."},
		{name: "a type of the Job controller's, by the template", change: reporter(false, "CONDITION_TYPE=FailureTarget"), body: typed("FailureTarget"), want: others + "Available alone."},
		{name: "a type that is none, by the template", change: reporter(false, "CONDITION_TYPE=Not a type"), body: typed("Not a type"), want: others + "Available alone."},
		{name: "the first of two types", change: reporter(false, "CONDITION_TYPE=One", "CONDITION_TYPE=Two"), body: typed("One"), want: others + "Two alone."},
		{name: "an adapter's type, where that one knows its Job", change: knowing, body: typed("Adapted"), want: others + "Validated alone."},
		{name: "no type, by the namespace's list", annotations: map[string]string{"status-reporter/condition-type": "Validated,"}, body: typed(""), want: others + "Validated alone."},
		{name: "a type of the Job controller's, by the namespace", annotations: map[string]string{"status-reporter/condition-type": "Failed,FailureTarget"}, body: typed("FailureTarget"), want: others + "none."},
		{name: "an adapter's type", change: named, body: typed("Adapted"), want: others + "Validated alone."},
		{name: "its own removed", status: under("Available"), body: `{"status":{"conditions":[{"$patch":"delete","type":"Available"}]}}`, want: twice},
		{name: "all conditions removed", status: under("Available"), kind: apiserver.Merge, body: `{"status":{"conditions":null}}`, want: twice},
		{name: "its own twice", status: under("Available"), kind: apiserver.JSONPatch,
			body: `[{"op":"add","path":"/status/conditions/-","value":{"type":"Available","status":"False"}}]`, want: twice},
		{name: "a status that is none", body: condition(`"type":"Available","status":"Maybe"`), want: "True, False or Unknown."},
		{name: "an empty status", body: condition(`"type":"Available","status":""`), want: "True, False or Unknown."},
		{name: "a reason of 129 characters", body: condition(`"type":"Available","status":"True","reason":"` + strings.Repeat("ü", 129) + `"`), want: "128 characters."},
		{name: "a message of 1025 characters", body: condition(`"type":"Available","status":"True","message":"` + strings.Repeat("ü", 1025) + `"`), want: "1024 characters."},
		{name: "a message of a megabyte", body: condition(`"type":"Available","status":"True","message":"` + strings.Repeat("m", 1<<20) + `"`), want: "1024 characters."},
		{name: "active", status: under(), body: `{"status":{"active":0}}`, want: counter},
		{name: "ready", status: under(), body: `{"status":{"ready":1}}`, want: counter},
		{name: "terminating", status: under(), body: `{"status":{"terminating":1}}`, want: counter},
		{name: "failed, beside a report", status: under(), body: `{"status":{"failed":7,` + good[len(`{"status":{`):], want: counter},
		{name: "succeeded", status: under(), body: `{"status":{"succeeded":1}}`, want: counter},
		{name: "uncountedTerminatedPods", status: under(), body: `{"status":{"uncountedTerminatedPods":{"failed":["u"]}}}`, want: counter},
		{name: "completedIndexes", change: indexed(3), pod: "job-0-bcdfg", status: under(), body: `{"status":{"completedIndexes":"0","succeeded":1}}`, want: counter},
		{name: "a label", body: `{"metadata":{"labels":{"a":"b"}},` + good[1:], want: "of this Job's metadata.labels a reporter may change none."},
		{name: "a label beside its own", change: labelled, body: `{"metadata":{"labels":{"a":"b","example.com/outcome":"True"}}}`, want: "labels a reporter may change example.com/outcome alone."},
		{name: "a label's removal", change: meta(map[string]string{"a": "b"}, nil), body: `{"metadata":{"labels":{"a":null}}}`, want: "labels a reporter"},
		{name: "a label's value", change: meta(map[string]string{"a": "b"}, nil), body: `{"metadata":{"labels":{"a":"c"}}}`, want: "labels a reporter"},
		{name: "all labels", change: both(labelled, meta(map[string]string{"a": "b"}, nil)), kind: apiserver.Merge, body: `{"metadata":{"labels":null}}`, want: "labels a reporter"},
		{name: "a label of Kubernetes", change: reporter(false, "OUTCOME_LABEL=batch.kubernetes.io/job-name"), body: `{"metadata":{"labels":{"batch.kubernetes.io/job-name":"True"}}}`, want: "labels a reporter may change none."},
		{name: "an outcome that is none", change: labelled, body: `{"metadata":{"labels":{"example.com/outcome":"Maybe"}}}`, want: "the outcome label must be True, False or Unknown."},
		{name: "an annotation", body: `{"metadata":{"annotations":{"a":"b"}}}`, want: "of this Job's metadata.annotations a reporter may change none."},
		{name: "an annotation beside its own", change: labelled, body: `{"metadata":{"annotations":{"a":"b","example.com/details":"{}"}}}`, want: "annotations a reporter may change example.com/details alone."},
		{name: "an annotation's removal", change: meta(nil, map[string]string{"a": "b"}), body: `{"metadata":{"annotations":{"a":null}}}`, want: "annotations a reporter"},
		{name: "an annotation of Kubernetes", change: reporter(false, "DETAILS_ANNOTATION=kubernetes.io/x"), body: `{"metadata":{"annotations":{"kubernetes.io/x":"y"}}}`, want: "annotations a reporter may change none."},
		{name: "a finalizer", body: `{"metadata":{"finalizers":["test/keep"]}}`, want: other},
		{name: "a finalizer's removal", change: protected, kind: apiserver.Merge, body: `{"metadata":{"finalizers":null}}`, want: other},
		{name: "an owner", body: `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"p","uid":"u"}]}}`, want: other},
		{name: "a version that is past", body: `{"metadata":{"resourceVersion":"1"},` + good[1:], code: 409},
		{name: "another Job's UID", body: `{"metadata":{"uid":"other"},` + good[1:], code: 422},
		{name: "Complete, which the server itself refuses", status: under(), body: typed("Complete"), code: 422, needs: kubetest.CheckedConditions, wantWithout: others},
		{name: "many indexes at once", change: indexed(3), pod: "job-" + strconv.Itoa(1<<30) + "-bcdfg", want: "does not belong to Job job."},
	}
}
