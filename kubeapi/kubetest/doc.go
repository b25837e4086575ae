// Package kubetest is a fake Kubernetes API server for tests of programs that
// read Pods and Jobs and write Job status. It does just enough, over real TLS
// with HTTP/2, a CA of its own and a real token file, and it calls the test's
// Errorf for every request that it does not know: another path, method, query
// key, field selector or content type.
//
//	s := kubetest.New(t)
//	job := s.CreateJob(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "job"}})
//	s.Fault(kubetest.Match{Verb: "patch"}, kubetest.Status(503, "", "try later"), kubetest.LoseAnswer())
//	cmd.Env = append(cmd.Env, s.Environ()...)
//
// # What it serves
//
//	GET   /api/v1/namespaces/NS/pods/NAME                      verb get, pods
//	GET   /api/v1/namespaces/NS/pods?fieldSelector=…           verb list, pods
//	GET   /api/v1/namespaces/NS/pods?watch=true&fieldSelector=… verb watch, pods
//	GET   /apis/batch/v1/namespaces/NS/jobs/NAME               verb get, jobs
//	PATCH /apis/batch/v1/namespaces/NS/jobs/NAME/status        verb patch, jobs/status
//
// The field selector is metadata.name=NAME. A name that does not exist is 404
// NotFound, not an unknown request. Get and watch of Pods, get of Jobs and patch
// of jobs/status are allowed from the start; [Server.Allow] and [Server.Deny]
// change that at any time. All kinds of patch work, as far as conditions go.
// Every error is a metav1.Status worded as the real server words it: package
// test/apiserver compares the answers with those of a kube-apiserver. A request
// without a token gets 401, as where anonymous access is turned off.
//
// [Kubernetes] has it do as a server of an older version does, as far as
// [Features] go.
//
// # Things that go wrong
//
// [Server.Fault] queues faults for single requests: a refusal, a delay, a lost
// request, a lost answer, half an answer, silence. [Server.Down],
// [Server.Freeze] and [Server.CutConnections] act on the network.
// [Server.Compact], [Server.Bookmark], [Server.CloseWatches],
// [Server.BreakWatches] and [Server.SendEvent] act on watches.
//
// With [Forward] all of this befalls the requests to another server, such as a real
// one, which answers what meets no fault.
//
// # Networks
//
// By default the server listens on 127.0.0.1, so that real binaries can talk to
// it. With [InMemory] no byte leaves the process and nothing blocks other than
// on channels and sync.Cond, so that client and server can live in one
// testing/synctest bubble: create the server inside the bubble and give
// [Server.Dial] to the client's http.Transport as its DialContext.
//
// In a bubble synctest.Wait tells when all is quiet; in real time
// [Server.WaitRequests], [Server.WaitAnswers] and [Server.Wait] wait without
// polling.
package kubetest
