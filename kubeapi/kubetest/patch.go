package kubetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// maxObject is etcd's limit for a stored object, in bytes.
const maxObject = 3 << 19

// patchTypes are the kinds of patch that the API knows.
var patchTypes = []types.PatchType{types.JSONPatchType, types.MergePatchType, types.StrategicMergePatchType, types.ApplyYAMLPatchType}

// patchType is the kind of patch that a Content-Type names.
func patchType(contentType string) types.PatchType {
	t, _, _ := strings.Cut(contentType, ";") // a charset is accepted
	return types.PatchType(strings.TrimSpace(t))
}

type patchHook func(*batchv1.Job)

// OnPatch calls hook with the Job after every patch that was applied (dry runs
// aside), before its answer goes out.
func (s *Server) OnPatch(hook func(job *batchv1.Job)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onPatch = append(s.onPatch, hook)
}

func (s *Server) patch(a *answer) {
	r := a.rec
	if err := checkOptions(r); err != nil {
		a.fail(err)
		return
	}
	var (
		job      *batchv1.Job
		warnings []string
		err      *apierrors.StatusError
		hooks    []patchHook
	)
	s.update(func() {
		k := key{"jobs", r.Namespace, r.Name}
		old, ok := s.objects[k].(*batchv1.Job)
		if !ok {
			err = notFound(r)
			return
		}
		kind := patchType(r.ContentType)
		me := manager{name: r.Query.Get("fieldManager"), applies: kind == types.ApplyYAMLPatchType}
		if me.name == "" {
			me.name, _, _ = strings.Cut(a.req.UserAgent(), "/")
		}
		apply := func(object map[string]any) (map[string]any, error) {
			owner, ok := s.managers[k]
			if !ok {
				owner = controller
			}
			return apply(object, r.Body, owner, me, r.Query.Has("force"))
		}
		if job, warnings, err = s.kubernetes.applyPatch(old, kind, r.Body, apply); err != nil {
			return
		}
		if r.Query.Has("dryRun") {
			return
		}
		job = s.replace(k, job, me).DeepCopyObject().(*batchv1.Job)
		hooks = s.onPatch
	})
	if err != nil {
		a.fail(err)
		return
	}
	for _, hook := range hooks {
		hook(job.DeepCopy())
	}
	for _, w := range warnings {
		a.Header().Add("Warning", "299 - "+strconv.Quote(w))
	}
	a.send(http.StatusOK, job)
}

// applyPatch returns what old becomes by a patch of its status, and warnings.
// It takes the steps of kube-apiserver's patch handler, with the same libraries.
func (v Version) applyPatch(old *batchv1.Job, kind types.PatchType, patch []byte, apply func(map[string]any) (map[string]any, error)) (*batchv1.Job, []string, *apierrors.StatusError) {
	if kind != types.ApplyYAMLPatchType && !json.Valid(patch) {
		return nil, nil, apierrors.NewBadRequest("invalid JSON patch")
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(old)
	if err != nil {
		return nil, nil, plain500(err.Error())
	}
	switch kind {
	case types.StrategicMergePatchType:
		object, err = strategicMerge(object, patch)
	case types.MergePatchType:
		object, err = merge(object, patch)
	case types.JSONPatchType:
		object, err = jsonPatch(object, patch)
	case types.ApplyYAMLPatchType:
		object, err = apply(object)
	}
	if refusal := (*apierrors.StatusError)(nil); errors.As(err, &refusal) {
		return nil, nil, refusal
	}
	job := &batchv1.Job{}
	var warnings []string
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object, job, true); err != nil {
		strict, ok := runtime.AsStrictDecodingError(err)
		if !ok {
			return nil, nil, cannotDecode(patch, err)
		}
		for _, e := range strict.Errors() {
			warnings = append(warnings, e.Error())
		}
	}
	job = canonical(job).(*batchv1.Job)
	if err := v.admit(job, old); err != nil {
		return nil, nil, err
	}
	return job, warnings, nil
}

// cannotDecode is worded as it is for a strategic merge patch.
func cannotDecode(patch []byte, err error) *apierrors.StatusError {
	var shown map[string]any
	utiljson.Unmarshal(patch, &shown)
	return apierrors.NewInvalid(schema.GroupKind{}, "", field.ErrorList{
		field.Invalid(field.NewPath("patch"), fmt.Sprintf("%+v", shown), err.Error()),
	})
}

// admit completes and checks a patched Job as the registry does for the status
// subresource: the spec and most of the metadata stay as they were. What it
// refuses goes by name, uid, resourceVersion, conditions and size; counters and
// times of the status are not checked.
func (v Version) admit(job, old *batchv1.Job) *apierrors.StatusError {
	if job.UID == "" { // an empty uid in a patch guards nothing
		job.UID = old.UID
	}
	switch {
	case job.Name == "":
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s based on URL) was undeterminable: name must be provided", old.Name))
	case job.Name != old.Name:
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", job.Name, old.Name))
	case job.Namespace != old.Namespace:
		return apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	if _, err := strconv.ParseUint(job.ResourceVersion, 10, 64); err != nil && job.ResourceVersion != "" {
		return plain500(err.Error())
	}
	if job.ResourceVersion != old.ResourceVersion && job.ResourceVersion != "" {
		return apierrors.NewConflict(groupResource("jobs"), old.Name,
			errors.New("the object has been modified; please apply your changes to the latest version and try again"))
	}
	job.Spec = *old.Spec.DeepCopy()
	job.ResourceVersion = old.ResourceVersion
	job.CreationTimestamp, job.Generation = old.CreationTimestamp, old.Generation
	job.DeletionTimestamp, job.DeletionGracePeriodSeconds = old.DeletionTimestamp, old.DeletionGracePeriodSeconds
	invalid := validation.ValidateObjectMetaUpdate(&job.ObjectMeta, &old.ObjectMeta, field.NewPath("metadata"))
	if invalid = append(invalid, v.checkStatus(job, old)...); len(invalid) > 0 {
		return apierrors.NewInvalid(schema.GroupKind{Group: "batch", Kind: "Job"}, old.Name, invalid)
	}
	if b, _ := json.Marshal(job); len(b) > maxObject {
		return plain500("etcdserver: request is too large")
	}
	return nil
}

func plain500(message string) *apierrors.StatusError {
	return status(http.StatusInternalServerError, "", message)
}
