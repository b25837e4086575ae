// The validator has a module of its own, so that the reporter's stays small.
module github.com/openshift-hyperfleet/status-reporter/hack/schematest

go 1.26.0

require github.com/santhosh-tekuri/jsonschema/v6 v6.0.3

require golang.org/x/text v0.14.0 // indirect
