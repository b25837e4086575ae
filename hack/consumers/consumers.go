// Package consumers runs the recipes of docs/consumers.md on what they are for: Argo
// CD's health check in its Lua, Open Cluster Management's JSONPaths, the Prometheus
// rules in promtool. Those for kubectl run on a real API server, see test/apiserver.
package consumers
