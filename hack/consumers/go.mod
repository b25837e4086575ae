// What the recipes of docs/consumers.md run on has a module of its own, so that the
// reporter's stays small.
module github.com/openshift-hyperfleet/status-reporter/hack/consumers

go 1.26.0

require (
	github.com/yuin/gopher-lua v1.1.2
	k8s.io/client-go v0.37.2
	sigs.k8s.io/yaml v1.6.0
)

require go.yaml.in/yaml/v2 v2.4.4 // indirect
