package kubetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// maxBody is kube-apiserver's limit for a request body, in bytes.
const maxBody = 3 << 20

type route struct {
	method, pattern, verb, resource string
	query                           []string // the keys it may have
}

// routes are the requests that are known; a verb list becomes watch by its
// query.
var routes = []route{
	{"GET", "/api/v1/namespaces/*/pods/*", "get", "pods", []string{"resourceVersion"}},
	{"GET", "/api/v1/namespaces/*/pods", "list", "pods", []string{"fieldSelector", "resourceVersion"}},
	{"GET", "/apis/batch/v1/namespaces/*/jobs/*", "get", "jobs", []string{"resourceVersion"}},
	{"PATCH", "/apis/batch/v1/namespaces/*/jobs/*/status", "patch", "jobs/status", []string{"dryRun", "fieldManager", "force"}},
}

var watchQuery = []string{"watch", "fieldSelector", "resourceVersion", "allowWatchBookmarks", "timeoutSeconds"}

func (s *Server) serve(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		abort()
	}
	s.active++
	s.mu.Unlock()
	defer s.update(func() { s.active-- })

	rec := &Request{
		Time: time.Now(), Method: req.Method, Path: req.URL.Path, Query: req.URL.Query(),
		ContentType: req.Header.Get("Content-Type"), Conn: linkOf(req.Context()).id, Proto: req.Proto,
	}
	body, readErr := io.ReadAll(io.LimitReader(req.Body, maxBody+1))
	rec.Body = body
	unknown := identify(rec, req)
	a := &answer{ResponseWriter: w, s: s, req: req, rec: rec, fault: Proceed()}
	s.update(func() {
		if unknown == nil {
			var ok bool
			if a.fault, ok = s.nextFault(rec); ok {
				rec.Fault = a.fault.String()
			}
		}
		s.requests = append(s.requests, rec)
	})
	if unknown != nil {
		s.errorf("kubetest: unexpected request: %s %s: %v", req.Method, req.URL.RequestURI(), unknown)
		a.fail(apierrors.NewBadRequest(unknown.Error()))
		return
	}
	if !a.before() {
		return
	}
	if readErr != nil {
		abort() // the client is gone
	}
	if s.upstream != nil {
		s.forward(a)
		return
	}
	s.handle(a)
}

// handle authenticates, authorizes and does what is asked for.
func (s *Server) handle(a *answer) {
	r := a.rec
	if !s.authenticated(a.req) {
		a.fail(apierrors.NewUnauthorized("Unauthorized"))
		return
	}
	if err := s.authorize(r); err != nil {
		a.fail(err)
		return
	}
	if len(r.Body) > maxBody {
		a.fail(apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d", maxBody)))
		return
	}
	switch r.Verb {
	case "watch":
		s.watch(a)
	case "list":
		s.list(a)
	case "patch":
		s.patch(a)
	case "get":
		if o := s.get(r.Resource, r.Namespace, r.Name); o != nil {
			a.send(http.StatusOK, o)
			return
		}
		a.fail(notFound(r))
	}
}

func (s *Server) list(a *answer) {
	s.mu.Lock()
	list := corev1.PodList{
		TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"},
		ListMeta: metav1.ListMeta{ResourceVersion: strconv.FormatInt(s.version, 10)},
		Items:    []corev1.Pod{},
	}
	if pod, ok := s.objects[key{"pods", a.rec.Namespace, a.rec.Name}].(*corev1.Pod); ok {
		item := *pod.DeepCopy()
		item.TypeMeta = metav1.TypeMeta{} // the items of a list carry none
		list.Items = append(list.Items, item)
	}
	s.mu.Unlock()
	a.send(http.StatusOK, list)
}

// identify fills in verb, resource, namespace and name; its error says what
// makes the request an unknown one.
func identify(r *Request, req *http.Request) error {
	escaped := req.URL.EscapedPath()
	known := slices.IndexFunc(routes, func(r route) bool {
		ok, _ := path.Match(r.pattern, escaped)
		return ok && r.method == req.Method
	})
	if known < 0 {
		return errors.New("method and path are none that the server knows")
	}
	route, query := routes[known], req.URL.Query()
	verb, keys := route.verb, route.query
	if verb == "list" && query.Has("watch") {
		verb, keys = "watch", watchQuery
	}
	if err := checkQuery(query, keys, verb); err != nil {
		return err
	}
	if err := checkHeaders(req.Header, verb, len(r.Body)); err != nil {
		return err
	}
	if query.Has("force") && patchType(r.ContentType) != types.ApplyYAMLPatchType {
		return errors.New("query force is for apply alone")
	}
	segments := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	for i, segment := range segments {
		segments[i], _ = url.PathUnescape(segment)
	}
	namespaced := segments[slices.Index(segments, "namespaces")+1:]
	namespace, name := namespaced[0], strings.TrimPrefix(query.Get("fieldSelector"), "metadata.name=")
	if name == "" && len(namespaced) > 2 {
		name = namespaced[2]
	}
	if namespace == "" || name == "" {
		return errors.New("the namespace or the name is empty")
	}
	r.Verb, r.Resource, r.Namespace, r.Name = verb, route.resource, namespace, name
	return nil
}

// queries are the values that a key of a query may have; without one of these any.
var queries = map[string]func(v, verb string) bool{
	"watch":               isSet,
	"allowWatchBookmarks": isSet,
	"force":               isSet,
	"dryRun":              func(v, _ string) bool { return v == metav1.DryRunAll },
	"timeoutSeconds": func(v, _ string) bool {
		n, err := strconv.ParseInt(v, 10, 32)
		return err == nil && n > 0
	},
	"resourceVersion": func(v, verb string) bool {
		_, err := strconv.ParseInt(v, 10, 64)
		return v == "" || v == "0" || verb == "watch" && err == nil
	},
	"fieldSelector": func(v, _ string) bool {
		name, found := strings.CutPrefix(v, "metadata.name=")
		return found && !strings.ContainsAny(name, "=,")
	},
}

func isSet(v, _ string) bool { return v == "true" || v == "1" }

func checkQuery(query url.Values, keys []string, verb string) error {
	for k, values := range query {
		if !slices.Contains(keys, k) || len(values) != 1 {
			return fmt.Errorf("query %s=%q is not known, or there twice", k, values)
		}
		if allows := queries[k]; allows != nil && !allows(values[0], verb) {
			return fmt.Errorf("query %s=%q is not known", k, values[0])
		}
	}
	if slices.Contains(keys, "fieldSelector") && !query.Has("fieldSelector") {
		return errors.New("a list or watch needs the fieldSelector metadata.name=NAME")
	}
	return nil
}

func checkHeaders(h http.Header, verb string, body int) error {
	accept := h.Get("Accept")
	if accept != "" && !strings.Contains(accept, "application/json") && !strings.Contains(accept, "*/*") {
		return fmt.Errorf("the server speaks JSON, not %q", accept)
	}
	if verb != "patch" {
		if body > 0 {
			return fmt.Errorf("a %s has no body", verb)
		}
		return nil
	}
	if !slices.Contains(patchTypes, patchType(h.Get("Content-Type"))) {
		return fmt.Errorf("content type %q is no kind of patch", h.Get("Content-Type"))
	}
	return nil
}

func (s *Server) authenticated(req *http.Request) bool {
	token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	return ok && s.tokens[token]
}

func groupResource(resource string) schema.GroupResource {
	if resource == "pods" {
		return schema.GroupResource{Resource: "pods"}
	}
	return schema.GroupResource{Group: "batch", Resource: "jobs"}
}

func notFound(r *Request) *apierrors.StatusError {
	return apierrors.NewNotFound(groupResource(r.Resource), r.Name)
}

// status is an error for which apierrors has no maker.
func status(code int, reason metav1.StatusReason, message string) *apierrors.StatusError {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message}}
}

// asObject is the error as it is sent.
func asObject(err *apierrors.StatusError) *metav1.Status {
	s := err.ErrStatus
	s.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	return &s
}

// fail answers with an error.
func (a *answer) fail(err *apierrors.StatusError) { a.send(int(err.ErrStatus.Code), asObject(err)) }

func (a *answer) send(code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		a.s.errorf("kubetest: %v", err)
		abort()
	}
	a.Header().Set("Content-Type", "application/json")
	a.Header().Set("Content-Length", strconv.Itoa(len(b)))
	a.WriteHeader(code)
	a.Write(b)
}
