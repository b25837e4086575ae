package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	jsonType     = "application/json"
	protobufType = "application/vnd.kubernetes.protobuf"
	// protobufMagic begins every object in Kubernetes' protobuf; what follows is a
	// runtime.Unknown.
	protobufMagic = "k8s\x00"
)

// object is one of the API's types.
type object interface {
	runtime.Object
	Marshal() ([]byte, error)
}

// wantsProtobuf reports whether a client names protobuf first, as client-go does
// for the types that it knows.
func wantsProtobuf(req *http.Request) bool {
	first, _, _ := strings.Cut(req.Header.Get("Accept"), ",")
	return strings.HasPrefix(strings.TrimSpace(first), protobufType)
}

// sendObject answers with o in the encoding that the client asks for.
func sendObject(w http.ResponseWriter, req *http.Request, o object) {
	kind, encode := jsonType, json.Marshal
	if wantsProtobuf(req) {
		kind, encode = protobufType, marshalProtobuf
	}
	data, err := encode(o)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "InternalError")
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Write(data)
}

func marshalProtobuf(v any) ([]byte, error) {
	o := v.(object)
	raw, err := o.Marshal()
	if err != nil {
		return nil, err
	}
	version, kind := o.GetObjectKind().GroupVersionKind().ToAPIVersionAndKind()
	data, err := (&runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: version, Kind: kind}, Raw: raw}).Marshal()
	return append([]byte(protobufMagic), data...), err
}

// readJob takes a whole Job, or a patch of any kind that looks like a part of one.
func readJob(body io.Reader) (job batchv1.Job, err error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return job, err
	}
	encoded, isProtobuf := bytes.CutPrefix(data, []byte(protobufMagic))
	if !isProtobuf {
		return job, json.Unmarshal(data, &job)
	}
	var envelope runtime.Unknown
	if err := envelope.Unmarshal(encoded); err != nil {
		return job, err
	}
	return job, job.Unmarshal(envelope.Raw)
}
