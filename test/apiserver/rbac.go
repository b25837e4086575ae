package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// rbacFile is what users apply, so it is what is tested.
const rbacFile = "deploy/rbac.yaml"

// ApplyRBAC makes the objects of deploy/rbac.yaml, or of another such file, or
// replaces them as kubectl apply does, and waits until they count.
func (n *Namespace) ApplyRBAC(file string) {
	n.tb.Helper()
	data, err := os.ReadFile(filepath.Join(moduleRoot(), file))
	if err != nil {
		n.tb.Fatal(err)
	}
	data = bytes.ReplaceAll(data, []byte("<namespace>"), []byte(n.Name)) // as the file says
	data = bytes.ReplaceAll(data, []byte("serviceaccounts:my-namespace"), []byte("serviceaccounts:"+n.Name))
	docs := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		var doc json.RawMessage
		if err := docs.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			n.tb.Fatalf("%s: %v", file, err)
		}
		n.applyRBACObject(file, doc)
	}
	if n.account == "" || n.role == nil {
		n.tb.Fatalf("%s has no ServiceAccount or no Role", file)
	}
	n.awaitRole()
}

func (n *Namespace) applyRBACObject(file string, doc json.RawMessage) {
	n.tb.Helper()
	var object metav1.PartialObjectMetadata
	if err := json.Unmarshal(doc, &object); err != nil {
		n.tb.Fatalf("%s: %v", file, err)
	}
	path := map[string]string{
		"ServiceAccount": n.core("serviceaccounts"), "Role": n.rbac("roles"), "RoleBinding": n.rbac("rolebindings"),
	}[object.Kind]
	if path == "" {
		n.tb.Fatalf("%s: unexpected kind %q", file, object.Kind)
	}
	made, err := n.c.apply(path+"/"+object.Name, doc)
	if err != nil {
		n.tb.Fatalf("%s: %v", file, err)
	}
	switch object.Kind {
	case "ServiceAccount":
		n.account = object.Name
	case "Role":
		n.role = &rbacv1.Role{}
		if err := json.Unmarshal(made, n.role); err != nil {
			n.tb.Fatal(err)
		}
	}
}

// apply makes an object, or replaces all that was applied before.
func (c *Cluster) apply(path string, doc []byte) ([]byte, error) {
	made, _, err := c.admin.send(context.Background(), http.MethodPatch, path+"?fieldManager=test&force=true", "application/apply-patch+yaml", doc)
	return made, err
}

func (n *Namespace) rbac(resource string) string {
	return "/apis/rbac.authorization.k8s.io/v1/namespaces/" + n.Name + "/" + resource
}

// Allow adds a right to the Role, such as "list" on "pods".
func (n *Namespace) Allow(verb, resource string) {
	n.tb.Helper()
	n.Deny(verb, resource) // so that it is there once
	n.role.Rules = append(n.role.Rules, rule(verb, resource))
	n.updateRole(verb, resource, true)
}

// Deny takes a right from the Role.
func (n *Namespace) Deny(verb, resource string) {
	n.tb.Helper()
	var rest []rbacv1.PolicyRule
	for _, r := range n.role.Rules {
		for _, res := range r.Resources {
			for _, v := range r.Verbs {
				if v != verb || res != resource {
					rest = append(rest, rbacv1.PolicyRule{APIGroups: r.APIGroups, Resources: []string{res}, Verbs: []string{v}})
				}
			}
		}
	}
	n.role.Rules = rest
	n.updateRole(verb, resource, false)
}

func rule(verb, resource string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{groupOf(resource)}, Resources: []string{resource}, Verbs: []string{verb}}
}

func groupOf(resource string) string {
	if strings.HasPrefix(resource, "jobs") {
		return "batch"
	}
	return ""
}

func (n *Namespace) updateRole(verb, resource string, allowed bool) {
	n.tb.Helper()
	n.must(http.MethodPut, n.rbac("roles/"+n.role.Name), n.role, n.role)
	n.awaitAccess(verb, resource, allowed)
}

func (n *Namespace) awaitRole() {
	n.tb.Helper()
	for _, r := range n.role.Rules {
		n.awaitAccess(r.Verbs[0], r.Resources[0], true)
	}
}

// awaitAccess waits until the server's authorizer, which follows changes of
// Roles with a small delay, is of that opinion.
func (n *Namespace) awaitAccess(verb, resource string, allowed bool) {
	n.tb.Helper()
	name, subresource, _ := strings.Cut(resource, "/")
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:" + n.Name + ":" + n.account,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: n.Name, Verb: verb, Group: groupOf(resource), Resource: name, Subresource: subresource,
		},
	}}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := n.Wait(ctx, func() bool {
		n.must(http.MethodPost, "/apis/authorization.k8s.io/v1/subjectaccessreviews", review, review)
		return review.Status.Allowed == allowed
	})
	if err != nil {
		n.tb.Fatalf("access to %s %s stays %v", verb, resource, !allowed)
	}
}

// moduleRoot is the directory of go.mod, above that of the test.
func moduleRoot() string {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	return dir
}
