package apiserver_test

import (
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	available = `{"type":"Available","status":"True","reason":"Ready","message":"done","lastProbeTime":"2026-01-02T00:00:00Z","lastTransitionTime":"2026-01-02T00:00:00Z"}`
	oneMore   = `{"status":{"conditions":[` + available + `]}}`
	appended  = `[{"op":"add","path":"/status/conditions/-","value":` + available + `}]`
	listed    = `[{"op":"add","path":"/status/conditions","value":[` + available + `]}]`
	applied   = `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"job"},"status":{"conditions":[` + available + `]}}`
)

const another = `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"job"},"status":{"conditions":[{"type":"B","status":"True"}]}}`

func by(manager, body string) *exchange {
	return &exchange{kind: apply, path: statusPath + "?fieldManager=" + manager, body: body}
}

func conditionOf(fields string) string { return `{"status":{"conditions":[{` + fields + `}]}}` }

func reported(s server) {
	s.UpdateJob(ns, job, func(j *batchv1.Job) { j.Status.Conditions = append(is("Available"), j.Status.Conditions...) })
}

// exchanges are all that are compared. Left out, because the reporter never says
// it: PUT; JSON patch move and copy; what a member named twice or a value of the
// wrong type comes to, strategic merge aside; and the managedFields of
// server-side apply, which the fake does not keep, so that an apply of what is
// there already changes nothing in it.
func exchanges() []exchange {
	var list []exchange
	list = append(list, patchKinds()...)
	list = append(list, patchGuards()...)
	list = append(list, patchContents()...)
	list = append(list, refusals()...)
	return append(list, reads()...)
}

// patchKinds shows why the reporter sends strategic merge patches.
func patchKinds() (list []exchange) {
	for _, p := range []struct {
		name, kind, query, body string
		want                    [4]string // on a running, a suspended, a Complete and a Failed Job
		older                   string    // on the last two, before kubetest.CheckedConditions
	}{
		{"strategic merge", strategic, "", oneMore, [4]string{
			"200: Available=True", "200: Available=True Suspended=True",
			"200: Available=True SuccessCriteriaMet=True Complete=True", "200: Available=True FailureTarget=True Failed=True",
		}, ""},
		{"merge", merge, "", oneMore, [4]string{
			"200: Available=True", "200: Available=True",
			"422 Invalid: SuccessCriteriaMet=True Complete=True", "422 Invalid: FailureTarget=True Failed=True",
		}, "200: Available=True"},
		{"JSON patch that appends", jsonPatch, "", appended, [4]string{
			"422 Invalid:", "200: Suspended=True Available=True",
			"200: SuccessCriteriaMet=True Complete=True Available=True", "200: FailureTarget=True Failed=True Available=True",
		}, ""},
		{"JSON patch that sets the list", jsonPatch, "", listed, [4]string{
			"200: Available=True", "200: Available=True",
			"422 Invalid: SuccessCriteriaMet=True Complete=True", "422 Invalid: FailureTarget=True Failed=True",
		}, "200: Available=True"},
		{"apply", apply, "?fieldManager=reporter", applied, [4]string{
			"200: Available=True", "409 Conflict: Suspended=True",
			"409 Conflict: SuccessCriteriaMet=True Complete=True", "409 Conflict: FailureTarget=True Failed=True",
		}, ""},
		{"forced apply", apply, "?fieldManager=reporter&force=true", applied, [4]string{
			"200: Available=True", "200: Available=True",
			"422 Invalid: SuccessCriteriaMet=True Complete=True", "422 Invalid: FailureTarget=True Failed=True",
		}, "200: Available=True"},
	} {
		for i, state := range []string{"running", "suspended", "complete", "failed"} {
			x := exchange{name: state + " Job, " + p.name, job: state, kind: p.kind, path: statusPath + p.query, body: p.body, want: p.want[i]}
			if i >= 2 {
				x.older = p.older
			}
			list = append(list, x)
		}
	}
	return append(list,
		exchange{name: "merge patch, unknown field", kind: merge, body: conditionOf(`"type":"A","status":"True","x":1`), want: "200: A=True"},
		exchange{name: "merge patch, not JSON", kind: merge, body: `{"status":`, want: "400 BadRequest:"},
		exchange{name: "merge patch, nothing", kind: merge, body: `{}`, want: "200: unchanged"},
		exchange{name: "merge patch, null takes the list away", kind: merge, job: "suspended", body: `{"status":{"conditions":null}}`, want: "200:"},
		exchange{name: "JSON patch, not JSON", kind: jsonPatch, body: `[{`, want: "400 BadRequest:"},
		exchange{name: "JSON patch, an object", kind: jsonPatch, body: `{}`, want: "400 BadRequest:"},
		exchange{name: "JSON patch, test fails", kind: jsonPatch, body: `[{"op":"test","path":"/metadata/name","value":"other"}]`, want: "422 Invalid:"},
		exchange{name: "JSON patch, test holds", kind: jsonPatch, body: `[{"op":"test","path":"/metadata/name","value":"job"},{"op":"add","path":"/status/failed","value":1}]`, want: "200:"},
		exchange{name: "JSON patch, removes what is not there", kind: jsonPatch, body: `[{"op":"remove","path":"/status/conditions/0"}]`, want: "422 Invalid:"},
		exchange{name: "JSON patch, removes", kind: jsonPatch, job: "suspended", body: `[{"op":"remove","path":"/status/conditions/0"}]`, want: "200:"},
		exchange{name: "JSON patch, replaces", kind: jsonPatch, job: "suspended", body: `[{"op":"replace","path":"/status/conditions/0/status","value":"False"}]`, want: "200: Suspended=False"},
		exchange{name: "JSON patch, inserts", kind: jsonPatch, job: "suspended", body: `[{"op":"add","path":"/status/conditions/0","value":` + available + `}]`, want: "200: Available=True Suspended=True"},
		exchange{name: "apply without a manager", kind: apply, body: applied, want: "422 Invalid:"},
		exchange{name: "apply over one's own", first: by("reporter", another), kind: apply, path: statusPath + "?fieldManager=reporter", body: applied, want: "200: Available=True"},
		exchange{name: "apply over another's", first: by("other", another), kind: apply, path: statusPath + "?fieldManager=reporter", body: applied, want: "409 Conflict: B=True"},
		exchange{name: "apply over a patch", first: &exchange{path: statusPath + "?fieldManager=other", body: conditionOf(`"type":"B","status":"True"`)}, kind: apply, path: statusPath + "?fieldManager=reporter", body: applied, want: "409 Conflict: B=True"},
		exchange{name: "patch over what was applied", first: by("other", another), body: oneMore, want: "200: Available=True B=True"},
		exchange{name: "apply as the Job controller, which updates", kind: apply, path: statusPath + "?fieldManager=kube-controller-manager", job: "suspended", body: applied, want: "409 Conflict: Suspended=True"},
		exchange{name: "apply to no Job", kind: apply, path: statusPath + "?fieldManager=reporter", job: "none", body: applied, want: "404 NotFound:"},
		exchange{name: "apply, not YAML", kind: apply, path: statusPath + "?fieldManager=reporter", body: "{", want: "400 BadRequest:"},
	)
}

// patchGuards are what a patch says of the Job that it is meant for.
func patchGuards() []exchange {
	with := func(metadata string) string {
		return `{"metadata":{` + metadata + `},"status":{"conditions":[` + available + `]}}`
	}
	return []exchange{
		{name: "the Job's uid", body: with(`"uid":"UID"`), want: "200: Available=True"},
		{name: "uid of another Job", body: with(`"uid":"6f1c1b1e-4a53-4f0e-9d55-1f0a4a9e2c01"`), want: "422 Invalid:"},
		{name: "uid of another Job, on a Complete one", job: "complete", body: with(`"uid":"6f1c1b1e-4a53-4f0e-9d55-1f0a4a9e2c01"`), want: "422 Invalid: SuccessCriteriaMet=True Complete=True"},
		{name: "empty uid", body: with(`"uid":""`), want: "200: Available=True"},
		{name: "null uid", body: with(`"uid":null`), want: "200: Available=True"},
		{name: "the Job's resourceVersion", body: with(`"resourceVersion":"VERSION"`), want: "200: Available=True"},
		{name: "stale resourceVersion", body: with(`"resourceVersion":"OLD"`), want: "409 Conflict:"},
		{name: "stale resourceVersion, nothing to change", body: `{"metadata":{"resourceVersion":"OLD"}}`, want: "409 Conflict:"},
		{name: "empty resourceVersion", body: with(`"resourceVersion":""`), want: "200: Available=True"},
		{name: "resourceVersion that is none", body: with(`"resourceVersion":"x"`), want: "500:"},
		{name: "another uid and a stale resourceVersion", body: with(`"uid":"x","resourceVersion":"OLD"`), want: "409 Conflict:"},
		{name: "another name", body: with(`"name":"other"`), want: "400 BadRequest:"},
		{name: "no name", body: with(`"name":null`), want: "400 BadRequest:"},
		{name: "another namespace", body: with(`"namespace":"other"`), want: "400 BadRequest:"},
		{name: "missing Job", job: "none", body: oneMore, want: "404 NotFound:"},
		{name: "missing Job, any uid", job: "none", body: with(`"uid":"x"`), want: "404 NotFound:"},
		{name: "deleted Job", before: func(s server) { s.DeleteJob(ns, job) }, body: oneMore, want: "404 NotFound:"},
		{name: "Job made anew", before: func(s server) {
			old := s.Job(ns, job)
			s.DeleteJob(ns, job)
			old.ObjectMeta = metav1.ObjectMeta{Namespace: ns, Name: job}
			old.Spec.Selector, old.Spec.Template.Labels = nil, nil
			s.CreateJob(old)
		}, body: with(`"resourceVersion":"OLD"`), want: "409 Conflict:"},
		{name: "dry run", path: statusPath + "?dryRun=All", body: oneMore, want: "200: unchanged"},
		{name: "dry run of what is refused", path: statusPath + "?dryRun=All", body: with(`"uid":"x"`), want: "422 Invalid:"},
		{name: "with a field manager", path: statusPath + "?fieldManager=reporter", body: oneMore, want: "200: Available=True"},
		{name: "labels, annotations and finalizers", body: with(`"labels":{"test/a":"b"},"annotations":{"test/c":"d"},"finalizers":["test/e"]`), want: "200: Available=True"},
		{name: "a label that is none", body: with(`"labels":{"test/a":"not a value"}`), want: "422 Invalid:"},
		{name: "spec", body: `{"spec":{"suspend":true},"status":{"conditions":[` + available + `]}}`, want: "200: Available=True"},
		{name: "spec alone", body: `{"spec":{"suspend":true}}`, want: "200: unchanged"},
		{name: "generation and creationTimestamp", body: with(`"generation":7,"creationTimestamp":"1999-01-01T00:00:00Z"`), want: "200: Available=True"},
		{name: "another kind", body: `{"kind":"Pod","apiVersion":"v1","status":{"conditions":[` + available + `]}}`, want: "200: Available=True"},
	}
}

// patchContents are conditions of all kinds.
func patchContents() []exchange {
	return []exchange{
		{name: "the same again", before: reported, body: conditionOf(`"type":"Available","status":"True","reason":"R","message":"m","lastProbeTime":"2026-01-01T00:00:00Z","lastTransitionTime":"2026-01-01T00:00:00Z"`), want: "200: Available=True unchanged"},
		{name: "another status", before: reported, body: conditionOf(`"type":"Available","status":"False"`), want: "200: Available=False"},
		{name: "lastTransitionTime left out", before: reported, body: conditionOf(`"type":"Available","status":"False","reason":"X","message":"x","lastProbeTime":"2026-01-02T00:00:00Z"`), want: "200: Available=False"},
		{name: "lastTransitionTime null", before: reported, body: conditionOf(`"type":"Available","status":"False","lastTransitionTime":null`), want: "200: Available=False"},
		{name: "times left out at first", body: conditionOf(`"type":"Available","status":"True"`), want: "200: Available=True"},
		{name: "fractions of a second", body: conditionOf(`"type":"Available","status":"True","lastProbeTime":"2026-01-02T00:00:00.5Z","lastTransitionTime":"2026-01-02T01:00:00+01:00"`), want: "200: Available=True"},
		{name: "a time that is none", body: conditionOf(`"type":"Available","status":"True","lastProbeTime":"today"`), want: "422 Invalid:"},
		{name: "no type, the first condition", body: conditionOf(`"status":"True"`), want: "200: =True"},
		{name: "no type, beside others", job: "complete", body: conditionOf(`"status":"True"`), want: "500: SuccessCriteriaMet=True Complete=True"},
		{name: "empty type", body: conditionOf(`"type":"","status":"True"`), want: "200: =True"},
		{name: "any status", body: conditionOf(`"type":"Available","status":"Perhaps"`), want: "200: Available=Perhaps"},
		{name: "control characters", body: conditionOf(`"type":"Available","status":"True","message":"a\u0000b\u001b[31mc"`), want: "200: Available=True"},
		{name: "a status that is no string", body: conditionOf(`"type":"Available","status":1`), want: "422 Invalid:"},
		{name: "unknown fields", body: `{"x":1,"status":{"y":2,"conditions":[{"type":"Available","status":"True","observedGeneration":1}]}}`, want: "200: Available=True"},
		{name: "a type twice", body: `{"status":{"conditions":[{"type":"A","status":"True"},{"type":"A","status":"False"}]}}`, want: "200: A=True A=False"},
		{name: "two conditions", job: "suspended", body: `{"status":{"conditions":[{"type":"B","status":"True"},{"type":"A","status":"True"}]}}`, want: "200: B=True A=True Suspended=True"},
		{name: "conditions null", job: "suspended", body: `{"status":{"conditions":null}}`, want: "200:"},
		{name: "one taken away", before: reported, body: conditionOf(`"$patch":"delete","type":"Available"`), want: "200:"},
		{name: "nothing", body: `{}`, want: "200: unchanged"},
		{name: "not JSON", body: `{"status":`, want: "400 BadRequest:"},
		{name: "no body", body: ``, want: "400 BadRequest:"},
		{name: "a list", body: `[]`, want: "400 BadRequest:"},
		{name: "1.4 MB", body: conditionOf(`"type":"Available","status":"True","message":"` + strings.Repeat("x", 1_400_000) + `"`), want: "200: Available=True"},
		{name: "1.6 MB", body: conditionOf(`"type":"Available","status":"True","message":"` + strings.Repeat("x", 1_600_000) + `"`), want: "500:"},
		{name: "3.2 MB", body: conditionOf(`"type":"Available","status":"True","message":"` + strings.Repeat("x", 3_200_000) + `"`), want: "413 RequestEntityTooLarge:"},

		{name: "Complete on a running Job", body: conditionOf(`"type":"Complete","status":"True"`), want: "422 Invalid:", older: "200: Complete=True"},
		{name: "Failed on a running Job", body: conditionOf(`"type":"Failed","status":"True"`), want: "422 Invalid:", older: "200: Failed=True"},
		{name: "Complete on a suspended Job", job: "suspended", body: conditionOf(`"type":"Complete","status":"True"`), want: "422 Invalid: Suspended=True", older: "200: Complete=True Suspended=True"},
		{name: "Failed on a Complete Job", job: "complete", body: conditionOf(`"type":"Failed","status":"True"`), want: "422 Invalid: SuccessCriteriaMet=True Complete=True", older: "200: Failed=True Complete=True"},
		{name: "Complete on a Failed Job", job: "failed", body: conditionOf(`"type":"Complete","status":"True"`), want: "422 Invalid: FailureTarget=True Failed=True", older: "200: Complete=True FailureTarget=True Failed=True"},
		{name: "FailureTarget on a running Job", body: conditionOf(`"type":"FailureTarget","status":"True"`), want: "200: FailureTarget=True"},
		{name: "FailureTarget on a Complete Job", job: "complete", body: conditionOf(`"type":"FailureTarget","status":"True"`), want: "422 Invalid: SuccessCriteriaMet=True Complete=True", older: "200: FailureTarget=True Complete=True"},
		{name: "SuccessCriteriaMet on a running Job", body: conditionOf(`"type":"SuccessCriteriaMet","status":"True"`), want: "200: SuccessCriteriaMet=True", older: "422 Invalid:"},
		{name: "SuccessCriteriaMet on a Failed Job", job: "failed", body: conditionOf(`"type":"SuccessCriteriaMet","status":"True"`), want: "422 Invalid: FailureTarget=True Failed=True"},
		{name: "Suspended on a running Job", body: conditionOf(`"type":"Suspended","status":"True"`), want: "200: Suspended=True"},
		{name: "no longer Complete", job: "complete", body: conditionOf(`"type":"Complete","status":"False"`), want: "422 Invalid: SuccessCriteriaMet=True Complete=True", older: "200: Complete=False"},
		{name: "no longer FailureTarget", job: "failed", body: conditionOf(`"type":"FailureTarget","status":"False"`), want: "422 Invalid: FailureTarget=True Failed=True", older: "200: FailureTarget=False Failed=True"},
	}
}

// refusals are of those who may not.
func refusals() []exchange {
	deny := func(verb, resource string) func(s server) { return func(s server) { s.Deny(verb, resource) } }
	return []exchange{
		{name: "patch denied", before: deny("patch", "jobs/status"), body: oneMore, want: "403 Forbidden:"},
		{name: "patch denied, missing Job", job: "none", before: deny("patch", "jobs/status"), body: oneMore, want: "403 Forbidden:"},
		{name: "get Job denied", before: deny("get", "jobs"), method: "GET", path: jobPath, want: "403 Forbidden:"},
		{name: "get Pod denied", before: deny("get", "pods"), method: "GET", path: podPath, want: "403 Forbidden:"},
		{name: "watch denied", before: deny("watch", "pods"), method: "GET", path: listPath + "&watch=true", want: "403 Forbidden:"},
		{name: "list denied", before: deny("list", "pods"), method: "GET", path: listPath, want: "403 Forbidden:"},
		{name: "denied and allowed again", before: func(s server) { s.Deny("patch", "jobs/status"); s.Allow("patch", "jobs/status") }, body: oneMore, want: "200: Available=True"},
		{name: "bad token, patch", token: "x", body: oneMore, want: "401 Unauthorized:"},
		{name: "bad token, get", token: "x", method: "GET", path: podPath, want: "401 Unauthorized:"},
		{name: "bad token, watch", token: "x", method: "GET", path: listPath + "&watch=true", want: "401 Unauthorized:"},
	}
}

func reads() []exchange {
	gone := func(s server) { s.DeletePod(ns, pod) }
	return []exchange{
		{name: "Job", method: "GET", path: jobPath, want: "200: unchanged"},
		{name: "missing Job, read", job: "none", method: "GET", path: jobPath, want: "404 NotFound:"},
		{name: "Pod", method: "GET", path: podPath, want: "200: unchanged"},
		{name: "Pod from the cache", method: "GET", path: podPath + "?resourceVersion=0", want: "200: unchanged"},
		{name: "missing Pod", before: gone, method: "GET", path: podPath, want: "404 NotFound:"},
		{name: "missing Pod from the cache", before: gone, method: "GET", path: podPath + "?resourceVersion=0", want: "404 NotFound:"},
		{name: "list", before: func(s server) { s.Allow("list", "pods") }, method: "GET", path: listPath, want: "200: unchanged"},
	}
}
