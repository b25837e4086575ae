package watch

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unsafe"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// keyOf is the same for machines to which the same may happen. All fields count, those
// too that the state gets tomorrow; but times count from now, versions from the
// present one, and of the logical clocks the order alone.
func keyOf(m *machine) uint64 {
	e := encoder{m: m, b: make([]byte, 0, 2048), seqs: make([]int, 0, 32), ords: make([]int, 0, 32)}
	machinePlan(&e, unsafe.Pointer(m))
	e.order(e.seqs)
	e.order(e.ords)
	return maphash.Bytes(keySeed, e.b)
}

var keySeed = maphash.MakeSeed()

var machinePlan, podPlan, jobPlan, verdictPlan plan

func init() {
	machinePlan, podPlan, jobPlan, verdictPlan =
		planOf(reflect.TypeFor[machine](), ""), planOf(reflect.TypeFor[worldPod](), ""), planOf(reflect.TypeFor[worldJob](), ""), planOf(reflect.TypeFor[verdict](), "")
}

type encoder struct {
	m          *machine
	b          []byte
	seqs, ords []int
}

// skipped are fields that are the same all through an exploration, or nothing that the
// future depends on.
var skipped = []string{
	"machine.c", "machine.now", "machine.wrong", "machine.ready", "machine.told", "machine.doneAt",
	"state.path", "state.jobName", "state.podName", "state.adapterName", "state.variables", "state.conditionType",
	"state.misconfigured", "podState.roles", "state.wait", "state.settle", "state.now", "Backoff.Min", "Backoff.Max",
}

// past are times of which no more counts than that they have passed.
var past = []string{
	"podState.retryAt", "podState.rereadAt", "delivery.retryAt", "delivery.askedUntil",
	"feed.at", "feed.pollAt", "feed.pollUntil", "observed.asked",
}

func (e *encoder) num(n int) { e.b = binary.AppendVarint(e.b, int64(n)) }

func (e *encoder) bool(b bool) {
	n := byte(0)
	if b {
		n = 1
	}
	e.b = append(e.b, n)
}

func (e *encoder) str(s string) {
	e.num(len(s))
	e.b = append(e.b, s...)
}

func (e *encoder) time(t time.Time, onlyPast bool) {
	switch d := t.Sub(e.m.now); {
	case t.IsZero():
		e.num(1)
	case onlyPast && d <= 0:
		e.num(2)
	default:
		e.num(int(d)<<2 | 3)
	}
}

func (e *encoder) version(s string) {
	n, err := strconv.Atoi(s)
	e.bool(err != nil)
	e.num(n - int(e.m.w.pod.version))
}

func (e *encoder) stamp(n int) { e.num(n - e.m.w.file.stamp) }

// order appends the ranks of what a logical clock has told.
func (e *encoder) order(all []int) {
	sorted := append(make([]int, 0, len(all)+1), all...)
	sorted = append(sorted, 0)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	for _, x := range all {
		i, _ := slices.BinarySearch(sorted, x)
		e.b = append(e.b, byte(i))
	}
}

// plan appends what is at an address.
type plan func(e *encoder, p unsafe.Pointer)

func planFor[T any](f func(e *encoder, v *T)) plan {
	return func(e *encoder, p unsafe.Pointer) { f(e, (*T)(p)) }
}

// specialPlans are for types of which not all counts.
var specialPlans = map[reflect.Type]plan{
	reflect.TypeFor[seq]():        planFor(func(e *encoder, v *seq) { e.seqs = append(e.seqs, int(*v)) }),
	reflect.TypeFor[ord]():        planFor(func(e *encoder, v *ord) { e.ords = append(e.ords, int(*v)) }),
	reflect.TypeFor[podVersion](): planFor(func(e *encoder, v *podVersion) { e.num(int(*v - e.m.w.pod.version)) }),
	reflect.TypeFor[jobVersion](): planFor(func(e *encoder, v *jobVersion) { e.num(int(*v - e.m.w.job.version)) }),
	reflect.TypeFor[look](): planFor(func(e *encoder, v *look) {
		e.num(int(v.kind))
		e.num(int(v.version) % int(contents))
		e.stamp(int(v.version) / int(contents))
		e.stamp(int(v.stamp))
		e.time(v.changed, false)
	}),
	reflect.TypeFor[recent](): planFor(func(e *encoder, v *recent) {
		for i := range v.took {
			e.num(int(v.took[(v.next+i)%len(v.took)]))
		}
	}),
	reflect.TypeFor[*corev1.Pod](): planFor(func(e *encoder, v **corev1.Pod) {
		if e.bool(*v != nil); *v != nil {
			c := e.m.c
			c.mu.RLock()
			w := c.ofP[*v]
			c.mu.RUnlock()
			podPlan(e, unsafe.Pointer(&w))
		}
	}),
	reflect.TypeFor[*batchv1.Job](): planFor(func(e *encoder, v **batchv1.Job) {
		if e.bool(*v != nil); *v != nil {
			c := e.m.c
			c.mu.RLock()
			w := c.ofJ[*v]
			c.mu.RUnlock()
			jobPlan(e, unsafe.Pointer(&w))
		}
	}),
	reflect.TypeFor[*corev1.ContainerStateTerminated](): planFor(func(e *encoder, v **corev1.ContainerStateTerminated) {
		if e.bool(*v != nil); *v != nil {
			e.num(int((*v).ExitCode))
			e.str((*v).Reason)
			e.str((*v).ContainerID)
			e.time((*v).FinishedAt.Time, false)
		}
	}),
	reflect.TypeFor[*patch](): planFor(func(e *encoder, v **patch) {
		if e.bool(*v != nil); *v != nil {
			verdictPlan(e, unsafe.Pointer(&(*v).verdict))
			e.str((*v).outcome.Message)
			if uid := (*v).on.UID; uid != nil {
				e.str(string(*uid))
			}
			if version := (*v).on.ResourceVersion; version != nil {
				n, _ := strconv.Atoi(*version)
				e.num(n - int(e.m.w.job.version))
			}
		}
	}),
	reflect.TypeFor[*Result](): planFor(func(e *encoder, v **Result) {
		if e.bool(*v != nil); *v != nil {
			e.b = fmt.Append(e.b, (*v).Delivered, (*v).Superseded, (*v).Own, (*v).Outcome)
		}
	}),
	reflect.TypeFor[error](): planFor(func(e *encoder, v *error) {
		if e.bool(*v != nil); *v != nil {
			e.str((*v).Error())
		}
	}),
	reflect.TypeFor[map[contract.Outcome]bool](): planFor(func(e *encoder, v *map[contract.Outcome]bool) {
		var all uint64 // in no order
		for o := range *v {
			all += maphash.Comparable(keySeed, o)
		}
		e.num(int(all))
	}),
	reflect.TypeFor[time.Time](): planFor(func(e *encoder, v *time.Time) { e.time(*v, false) }),
}

// fieldPlans are for fields that hold more than their type says.
var fieldPlans = map[string]plan{
	"feed.version":    planFor(func(e *encoder, v *string) { e.version(*v) }),
	"worldJob.probed": planFor(func(e *encoder, v *time.Time) { e.bool(v.Before(e.m.w.pod.started)) }),
	"machine.looked":  planFor(func(e *encoder, v *int) { e.stamp(*v) }),
	"worldFile.stamp": planFor(func(e *encoder, v *int) { e.bool(*v == 0); e.stamp(*v) }),
	"observed.fileIs": planFor(func(e *encoder, v *uint64) {
		e.num(int(*v) % int(contents))
		e.stamp(int(*v) / int(contents))
	}),
}

// planOf is made once for each type, from its fields.
func planOf(t reflect.Type, field string) plan {
	switch {
	case slices.Contains(skipped, field):
		return func(*encoder, unsafe.Pointer) {}
	case slices.Contains(past, field):
		return planFor(func(e *encoder, v *time.Time) { e.time(*v, true) })
	case fieldPlans[field] != nil:
		return fieldPlans[field]
	case specialPlans[t] != nil:
		return specialPlans[t]
	}
	switch t.Kind() {
	case reflect.Bool:
		return planFor(func(e *encoder, v *bool) { e.bool(*v) })
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return planFor(func(e *encoder, v *int) { e.num(*v) })
	case reflect.Int32:
		return planFor(func(e *encoder, v *int32) { e.num(int(*v)) })
	case reflect.String:
		return planFor(func(e *encoder, v *string) { e.str(*v) })
	case reflect.Func:
		return func(*encoder, unsafe.Pointer) {}
	case reflect.Pointer:
		elem := planOf(t.Elem(), "")
		return planFor(func(e *encoder, v *unsafe.Pointer) {
			if e.bool(*v != nil); *v != nil {
				elem(e, *v)
			}
		})
	case reflect.Struct:
		return structPlan(t)
	case reflect.Slice:
		elem, size := planOf(t.Elem(), ""), t.Elem().Size()
		return planFor(func(e *encoder, v *[]byte) { // its header: any slice's is alike
			e.num(len(*v))
			for i := range len(*v) {
				elem(e, unsafe.Add(unsafe.Pointer(unsafe.SliceData(*v)), uintptr(i)*size))
			}
		})
	case reflect.Array:
		elem, size := planOf(t.Elem(), ""), t.Elem().Size()
		return func(e *encoder, p unsafe.Pointer) {
			for i := range t.Len() {
				elem(e, unsafe.Add(p, uintptr(i)*size))
			}
		}
	}
	panic("no plan for " + field + ", a " + t.String())
}

func structPlan(t reflect.Type) plan {
	type part struct {
		offset uintptr
		plan   plan
	}
	var parts []part
	for i := range t.NumField() {
		f := t.Field(i)
		parts = append(parts, part{f.Offset, planOf(f.Type, t.Name()+"."+f.Name)})
	}
	return func(e *encoder, p unsafe.Pointer) {
		for _, part := range parts {
			part.plan(e, unsafe.Add(p, part.offset))
		}
	}
}
