package consumers

import (
	"context"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// health is what Argo CD takes from a check.
type health struct{ status, message, aggregateAs string }

// check is the script of the page.
func check(t *testing.T) string {
	t.Helper()
	var cm struct {
		APIVersion, Kind string
		Metadata         struct{ Name, Namespace string }
		Data             map[string]string
	}
	yamlOf(t, "Argo CD", &cm)
	script := cm.Data["resource.customizations.health.batch_Job"]
	if cm.APIVersion != "v1" || cm.Kind != "ConfigMap" || cm.Metadata.Name != "argocd-cm" || cm.Metadata.Namespace != "argocd" || len(cm.Data) != 1 || script == "" {
		t.Fatalf("%+v is no health check that Argo CD would find", cm)
	}
	return script
}

// judge runs it as Argo CD does: without the string library, and in a second.
func judge(t *testing.T, script string, job object) health {
	t.Helper()
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		if err := l.CallByParam(lua.P{Fn: l.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	l.SetContext(ctx)
	l.SetGlobal("obj", value(l, job))
	if err := l.DoString(script); err != nil {
		t.Fatal(err)
	}
	result, ok := l.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("it returns a %s", l.Get(-1).Type())
	}
	var h health
	into := map[string]*string{"status": &h.status, "message": &h.message, "aggregateAs": &h.aggregateAs}
	result.ForEach(func(k, v lua.LValue) {
		text, ok := v.(lua.LString)
		if into[k.String()] == nil || !ok {
			t.Fatalf("it returns %s, a %s", k, v.Type())
		}
		*into[k.String()] = string(text)
	})
	return h
}

// value is a decoded one in Lua.
func value(l *lua.LState, v any) lua.LValue {
	switch v := v.(type) {
	case string:
		return lua.LString(v)
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case []any:
		list := l.NewTable()
		for _, e := range v {
			list.Append(value(l, e))
		}
		return list
	case object:
		table := l.NewTable()
		for name, e := range v {
			table.RawSetString(name, value(l, e))
		}
		return table
	}
	return lua.LNil
}

// builtin is what Argo CD makes of a Job by itself (gitops-engine, health_job.go).
func builtin(job object) health {
	is := map[string]object{}
	status, _ := job["status"].(object)
	conditions, _ := status["conditions"].([]any)
	for _, c := range conditions {
		c := c.(object)
		is[c["type"].(string)] = c
	}
	says := func(kind string) string { return is[kind]["message"].(string) }
	switch {
	case is["Failed"] != nil:
		return health{"Degraded", says("Failed"), ""}
	case is["Suspended"] != nil && is["Suspended"]["status"] == "True" && is["Complete"] == nil:
		return health{"Suspended", "", "Healthy"}
	case is["Complete"] != nil:
		return health{"Healthy", says("Complete"), ""}
	}
	return health{"Progressing", "", ""}
}

// TestArgoCDDoesTheBuiltInsWork: of Jobs without a report it says what the built-in
// check does, and of a suspended one why.
func TestArgoCDDoesTheBuiltInsWork(t *testing.T) {
	script := check(t)
	for _, g := range goldens(t) {
		for _, more := range [][]object{
			nil,
			{condition("Complete", "True", "all done")},
			{condition("SuccessCriteriaMet", "True", "enough"), condition("Complete", "True", "all done")},
			{condition("FailureTarget", "True", "too late"), condition("Failed", "True", "it failed")},
			{condition("Suspended", "False", "Job resumed"), condition("Complete", "True", "all done")},
			{condition("Suspended", "False", "Job resumed"), condition("Failed", "True", "it failed")},
		} {
			job, _ := g.job(t, more...)
			got, want := judge(t, script, job), builtin(job)
			if want.status == "Suspended" && got.message != "" {
				got.message = ""
			}
			if got != want {
				t.Errorf("%s/%s with %v: %+v, the built-in check says %+v", g.Group, g.Name, more, got, want)
			}
		}
	}
	for name, job := range map[string]object{"new": {}, "no conditions": {"status": object{"active": 1.0}}} {
		if got, want := judge(t, script, job), (health{status: "Progressing"}); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	suspended := object{"status": object{"conditions": []any{condition("Suspended", "True", "Job suspended")}}}
	if got, want := judge(t, script, suspended), (health{"Suspended", "Job suspended", "Healthy"}); got != want {
		t.Errorf("suspended: %+v, want %+v", got, want)
	}
	resumed := object{"status": object{"conditions": []any{condition("Suspended", "False", "Job resumed")}}}
	if got, want := judge(t, script, resumed), (health{status: "Progressing"}); got != want {
		t.Errorf("resumed: %+v, want %+v", got, want)
	}
}

// TestArgoCDReadsTheOutcome: of a Job that is over the outcome decides, and its words
// are what people read.
func TestArgoCDReadsTheOutcome(t *testing.T) {
	script := check(t)
	complete, failed := condition("Complete", "True", "all done"), condition("Failed", "True", "it failed")
	seen := map[string]int{}
	for _, g := range goldens(t) {
		if g.Group == "config" {
			continue // its conditions have no message
		}
		for _, over := range []object{nil, complete, failed} {
			var more []object
			if over != nil {
				more = append(more, over)
			}
			job, c := g.job(t, more...)
			c["type"] = "Available"
			said := c["message"].(string)
			suspended := builtin(job).status == "Suspended"
			report(job, c)
			want := health{status: "Progressing", message: said}
			switch {
			case over != nil && over["type"] == "Failed" && c["status"] != "False":
				want = health{status: "Degraded", message: "it failed"}
			case over != nil && c["status"] == "False":
				want = health{status: "Degraded", message: said}
			case over != nil:
				want = health{status: "Healthy", message: said}
			case suspended:
				want = health{"Suspended", judge(t, script, job).message, "Healthy"}
			}
			seen[want.status+" "+c["status"].(string)]++
			if got := judge(t, script, job); got != want {
				t.Errorf("%s/%s, %v: %+v, want %+v", g.Group, g.Name, over, got, want)
			}
		}
	}
	for _, must := range []string{"Degraded False", "Degraded True", "Healthy True", "Healthy Unknown", "Progressing Unknown", "Progressing False", "Suspended Unknown"} {
		if seen[must] == 0 {
			t.Errorf("no golden Job is %s", must)
		}
	}
}
