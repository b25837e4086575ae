package kubetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// strategicMerge merges lists that say so in the API's types, such as
// conditions by their type.
func strategicMerge(object map[string]any, patch []byte) (map[string]any, error) {
	var patchMap map[string]any
	if err := utiljson.Unmarshal(patch, &patchMap); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	patched, err := strategicpatch.StrategicMergeMapPatch(object, patchMap, batchv1.Job{})
	if err != nil {
		return nil, plain500(err.Error())
	}
	return patched, nil
}

// merge is RFC 7396: a list is replaced as a whole.
func merge(object map[string]any, patch []byte) (map[string]any, error) {
	var patchMap map[string]any
	if err := utiljson.Unmarshal(patch, &patchMap); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	mergeInto(object, patchMap)
	return object, nil
}

func mergeInto(object, patch map[string]any) {
	for k, v := range patch {
		if v == nil {
			delete(object, k)
			continue
		}
		if inner, ok := v.(map[string]any); ok {
			target, ok := object[k].(map[string]any)
			if !ok {
				target = make(map[string]any)
			}
			mergeInto(target, inner)
			v = target
		}
		object[k] = v
	}
}

// jsonPatchOp is an operation of RFC 6902.
type jsonPatchOp struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
}

func jsonPatch(object map[string]any, patch []byte) (map[string]any, error) {
	var ops []jsonPatchOp
	if err := json.Unmarshal(patch, &ops); err != nil {
		return nil, apierrors.NewBadRequest("error decoding patch: " + strings.Replace(err.Error(), "kubetest.", "handlers.", 1))
	}
	for _, op := range ops {
		if edits[op.Op] == nil {
			return nil, notImplemented("the operation " + strconv.Quote(op.Op))
		}
		var value any
		if len(op.Value) > 0 {
			if err := utiljson.Unmarshal(op.Value, &value); err != nil {
				return nil, apierrors.NewBadRequest(err.Error())
			}
		}
		path := strings.Split(strings.TrimPrefix(op.Path, "/"), "/")
		for i, p := range path {
			path[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(p)
		}
		if _, err := edit(object, path, op.Op, value); err != nil {
			return nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
		}
	}
	return object, nil
}

var (
	errPath = errors.New("the path leads nowhere")
	errTest = errors.New("the test fails")
)

// place is a member of an object, or an element of a list: what is there, and how
// it is changed. What a change returns is the object or the list as it is then.
type place struct {
	value   any
	there   bool
	add     func(v any) any
	replace func(v any) any
	remove  func() any
}

// placeOf finds the place that a key names in node.
func placeOf(node any, key string) (p place, ok bool) {
	switch node := node.(type) {
	case map[string]any:
		set := func(v any) any { node[key] = v; return node }
		p = place{add: set, replace: set, remove: func() any { delete(node, key); return node }}
		p.value, p.there = node[key]
		return p, true
	case []any:
		i, err := strconv.Atoi(key)
		if key == "-" {
			i, err = len(node), nil
		}
		if err != nil || i < 0 || i > len(node) {
			return place{}, false
		}
		if p.there = i < len(node); p.there {
			p.value = node[i]
		}
		p.add = func(v any) any { return slices.Insert(node, i, v) }
		p.replace = func(v any) any { node[i] = v; return node }
		p.remove = func() any { return slices.Delete(node, i, i+1) }
		return p, true
	}
	return place{}, false
}

// edits are the operations at a place, each on one that is there, add aside.
var edits = map[string]func(node any, p place, value any) (any, error){
	"add":     func(_ any, p place, value any) (any, error) { return p.add(value), nil },
	"replace": func(_ any, p place, value any) (any, error) { return p.replace(value), nil },
	"remove":  func(_ any, p place, _ any) (any, error) { return p.remove(), nil },
	"test": func(node any, p place, value any) (any, error) {
		if !reflect.DeepEqual(p.value, value) {
			return nil, errTest
		}
		return node, nil
	},
}

// edit does an operation at a path in node, and returns what node is then.
func edit(node any, path []string, op string, value any) (any, error) {
	p, ok := placeOf(node, path[0])
	if !ok || !p.there && (op != "add" || len(path) > 1) {
		return nil, errPath
	}
	if len(path) == 1 {
		return edits[op](node, p, value)
	}
	changed, err := edit(p.value, path[1:], op, value)
	if err != nil {
		return nil, err
	}
	return p.replace(changed), nil
}

// A manager is who wrote a Job's conditions last. To server-side apply the list
// is one field, which belongs to one manager.
type manager struct {
	name    string
	applies bool
}

// controller sets the conditions that tests do not patch.
var controller = manager{name: "kube-controller-manager"}

func (m manager) String() string {
	s := fmt.Sprintf("conflict with %q with subresource \"status\"", m.name)
	if !m.applies {
		s += " using batch/v1"
	}
	return s
}

// apply is server-side apply of conditions alone.
func apply(object map[string]any, patch []byte, owner, me manager, force bool) (map[string]any, error) {
	var applied struct {
		metav1.TypeMeta
		Metadata struct {
			Name, Namespace string
		}
		Status struct {
			Conditions []any
		}
	}
	if err := yaml.Unmarshal(patch, &applied); err != nil {
		return nil, apierrors.NewBadRequest("error decoding patch: " + err.Error())
	}
	if err := yaml.UnmarshalStrict(patch, &applied); err != nil {
		return nil, notImplemented("apply of anything but conditions: " + err.Error())
	}
	status, _ := object["status"].(map[string]any)
	present, _ := status["conditions"].([]any)
	if len(present) > 0 && owner != me && !force && !reflect.DeepEqual(present, applied.Status.Conditions) {
		const path = ".status.conditions"
		return nil, apierrors.NewApplyConflict([]metav1.StatusCause{{
			Type: metav1.CauseTypeFieldManagerConflict, Message: owner.String(), Field: path,
		}}, fmt.Sprintf("Apply failed with 1 conflict: %s: %s", owner, path))
	}
	mergeInto(object, map[string]any{"status": map[string]any{"conditions": applied.Status.Conditions}})
	return object, nil
}

func notImplemented(what string) *apierrors.StatusError {
	return status(http.StatusNotImplemented, "", "kubetest does not implement "+what)
}

// checkOptions demands that who applies says who it is.
func checkOptions(r *Request) *apierrors.StatusError {
	if patchType(r.ContentType) != types.ApplyYAMLPatchType || r.Query.Get("fieldManager") != "" {
		return nil
	}
	return apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "PatchOptions"}, "", field.ErrorList{
		field.Required(field.NewPath("fieldManager"), "is required for apply patch"),
	})
}
