package kubetest

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// A rule allows a verb on a resource in every namespace.
type rule struct{ verb, resource string }

// defaultRules are those of the smallest Role that a status reporter needs.
func defaultRules() map[rule]bool {
	return map[rule]bool{
		{"get", "pods"}:          true,
		{"watch", "pods"}:        true,
		{"get", "jobs"}:          true,
		{"patch", "jobs/status"}: true,
	}
}

// Allow adds a right, such as "list" on "pods".
func (s *Server) Allow(verb, resource string) { s.setRule(verb, resource, true) }

// Deny takes a right away: from then on such requests get 403. Running watches
// go on, as they do on a real server.
func (s *Server) Deny(verb, resource string) { s.setRule(verb, resource, false) }

func (s *Server) setRule(verb, resource string, allow bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules[rule{verb, resource}] = allow
}

func (s *Server) authorize(r *Request) *apierrors.StatusError {
	s.mu.Lock()
	allowed := s.rules[rule{r.Verb, r.Resource}]
	s.mu.Unlock()
	if allowed {
		return nil
	}
	gr := groupResource(r.Resource)
	//lint:ignore ST1005 these are the words of kube-apiserver
	return apierrors.NewForbidden(gr, r.Name, fmt.Errorf(
		"User \"system:serviceaccount:%s:status-reporter-sa\" cannot %s resource %q in API group %q in the namespace %q",
		r.Namespace, r.Verb, r.Resource, gr.Group, r.Namespace))
}
