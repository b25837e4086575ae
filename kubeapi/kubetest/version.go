package kubetest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// A Version is a minor version of Kubernetes: 30 is 1.30.
type Version int

// Newest is the version that a Server plays without an option: that of k8s.io/api
// in go.mod, whose kube-apiserver it is compared with word by word.
const Newest Version = 37

// Oldest is the oldest version that the reporter is tested with.
const Oldest Version = 30

func (v Version) String() string { return fmt.Sprintf("1.%d", int(v)) }

var versionPattern = regexp.MustCompile(`^v?1\.(\d+)([.+-]|$)`)

// ParseVersion reads a version as a server says it, v1.30.14 or v1.30.14-gke.1, or as
// people write it, 1.30.
func ParseVersion(text string) (Version, error) {
	m := versionPattern.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is no version of Kubernetes, such as v1.30.14", text)
	}
	minor, err := strconv.Atoi(m[1])
	return Version(minor), err
}

// UnmarshalText is ParseVersion.
func (v *Version) UnmarshalText(text []byte) (err error) {
	*v, err = ParseVersion(string(text))
	return err
}

// A Feature is something that kube-apiserver does since a version, and that a
// Server does not do where it plays an older one. When, is what Kubernetes' own
// feature gates say; what it was like before was seen on 1.30.14.
type Feature struct {
	Name   string
	Since  Version   // the first that does it by default
	Not    []Version // later ones that do not
	Before string    // what older ones do instead
}

// In reports whether a version does it.
func (f *Feature) In(v Version) bool { return v >= f.Since && !slices.Contains(f.Not, v) }

// The features in which versions differ, of all that a Server does. What texts
// and JSON of older servers are like besides is not played: the word of a
// refusal, a creationTimestamp that is null.
var (
	// SuccessCriteria: gate JobSuccessPolicy, and the Job controller's use of it.
	SuccessCriteria = &Feature{Name: "SuccessCriteriaMet on every Job", Since: 31,
		Before: "Complete comes without SuccessCriteriaMet, Failed without FailureTarget unless by a podFailurePolicy; SuccessCriteriaMet is refused on a Job without a successPolicy"}
	// CheckedConditions: gate JobManagedBy.
	CheckedConditions = &Feature{Name: "checked conditions", Since: 32,
		Before: "whoever may patch jobs/status may set Complete and Failed on a running Job and take them back: the server checks neither"}
	// InitialBookmarks: gate WatchList.
	InitialBookmarks = &Feature{Name: "initial bookmarks", Since: 32, Not: []Version{33},
		Before: "a watch that begins with the present says nothing where there is no Pod, and no bookmark follows the one that there is"}

	Features = []*Feature{SuccessCriteria, CheckedConditions, InitialBookmarks}
)

// Kubernetes makes the server play a version of kube-apiserver other than [Newest].
func Kubernetes(v Version) Option { return func(s *Server) { s.kubernetes = v } }
