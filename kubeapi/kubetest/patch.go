package kubetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// maxObject is etcd's limit for a stored object, in bytes.
const maxObject = 3 << 19

// patchTypes are the kinds of patch that the API knows. Only the strategic
// merge patch is implemented; a test that needs another adds it to
// applyPatch.
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
		if job, warnings, err = applyPatch(old, patchType(r.ContentType), r.Body); err != nil {
			return
		}
		if r.Query.Has("dryRun") {
			return
		}
		job = s.replace(k, job).DeepCopyObject().(*batchv1.Job)
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
func applyPatch(old *batchv1.Job, kind types.PatchType, patch []byte) (*batchv1.Job, []string, *apierrors.StatusError) {
	if kind != types.StrategicMergePatchType {
		return nil, nil, status(http.StatusUnsupportedMediaType, metav1.StatusReasonUnsupportedMediaType, "415: Unsupported Media Type")
	}
	if !json.Valid(patch) {
		return nil, nil, apierrors.NewBadRequest("invalid JSON patch")
	}
	original, err := runtime.DefaultUnstructuredConverter.ToUnstructured(old)
	if err != nil {
		return nil, nil, plain500(err.Error())
	}
	var patchMap map[string]any
	if err := utiljson.Unmarshal(patch, &patchMap); err != nil {
		return nil, nil, apierrors.NewBadRequest(err.Error())
	}
	patched, err := strategicpatch.StrategicMergeMapPatch(original, patchMap, batchv1.Job{})
	if err != nil {
		return nil, nil, plain500(err.Error())
	}
	job := &batchv1.Job{}
	var warnings []string
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(patched, job, true); err != nil {
		strict, ok := runtime.AsStrictDecodingError(err)
		if !ok {
			return nil, nil, apierrors.NewInvalid(schema.GroupKind{}, "", field.ErrorList{
				field.Invalid(field.NewPath("patch"), fmt.Sprintf("%+v", patchMap), err.Error()),
			})
		}
		for _, e := range strict.Errors() {
			warnings = append(warnings, e.Error())
		}
	}
	job = canonical(job).(*batchv1.Job)
	if err := admit(job, old); err != nil {
		return nil, nil, err
	}
	return job, warnings, nil
}

// admit completes and checks a patched Job as the registry does for the status
// subresource: the spec and most of the metadata stay as they were.
func admit(job, old *batchv1.Job) *apierrors.StatusError {
	switch {
	case job.Name != old.Name:
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", job.Name, old.Name))
	case job.Namespace != old.Namespace:
		return apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	case job.ResourceVersion != old.ResourceVersion && job.ResourceVersion != "":
		return apierrors.NewConflict(groupResource("jobs"), old.Name,
			errors.New("the object has been modified; please apply your changes to the latest version and try again"))
	}
	job.Spec = *old.Spec.DeepCopy()
	job.ResourceVersion = old.ResourceVersion
	job.CreationTimestamp, job.Generation = old.CreationTimestamp, old.Generation
	job.DeletionTimestamp, job.DeletionGracePeriodSeconds = old.DeletionTimestamp, old.DeletionGracePeriodSeconds
	var invalid field.ErrorList
	if job.UID != old.UID {
		invalid = append(invalid, field.Invalid(field.NewPath("metadata", "uid"), job.UID, "field is immutable"))
	}
	if invalid = append(invalid, checkStatus(job, old)...); len(invalid) > 0 {
		return apierrors.NewInvalid(schema.GroupKind{Group: "batch", Kind: "Job"}, old.Name, invalid)
	}
	if b, _ := json.Marshal(job); len(b) > maxObject {
		return plain500("etcdserver: request is too large")
	}
	return nil
}

// checkStatus holds the Job controller's own conditions to what the API server
// demands of them; all others are free.
func checkStatus(job, old *batchv1.Job) (invalid field.ErrorList) {
	at := field.NewPath("status")
	condition := func(format string, args ...any) {
		invalid = append(invalid, field.Invalid(at.Child("conditions"), field.OmitValueType{}, fmt.Sprintf(format, args...)))
	}
	completed := isTrue(job, batchv1.JobComplete) && !isTrue(old, batchv1.JobComplete)
	failed := isTrue(job, batchv1.JobFailed) && !isTrue(old, batchv1.JobFailed)
	if completed && job.Status.CompletionTime == nil {
		invalid = append(invalid, field.Required(at.Child("completionTime"), "completionTime is required for Complete jobs"))
	}
	if failed && !isTrue(job, batchv1.JobFailureTarget) {
		condition("cannot set Failed=True condition without the FailureTarget=true condition")
	}
	if completed && !isTrue(job, batchv1.JobSuccessCriteriaMet) {
		condition("cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
	}
	if (completed || failed) && job.Status.StartTime == nil {
		invalid = append(invalid, field.Required(at.Child("startTime"), "startTime is required for finished job"))
	}
	for _, terminal := range []batchv1.JobConditionType{batchv1.JobFailed, batchv1.JobComplete, batchv1.JobFailureTarget} {
		if isTrue(old, terminal) && !isTrue(job, terminal) {
			condition("cannot disable the terminal %s=True condition", terminal)
		}
	}
	if isTrue(old, batchv1.JobSuccessCriteriaMet) && !isTrue(job, batchv1.JobSuccessCriteriaMet) {
		condition("cannot disable the SuccessCriteriaMet=True condition")
	}
	return invalid
}

func isTrue(job *batchv1.Job, t batchv1.JobConditionType) bool {
	for _, c := range job.Status.Conditions {
		if c.Type == t {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func plain500(message string) *apierrors.StatusError {
	return status(http.StatusInternalServerError, "", message)
}
