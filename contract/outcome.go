package contract

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// ConditionStatus is the status of a Kubernetes condition.
type ConditionStatus string

// The statuses of a condition.
const (
	True    ConditionStatus = "True"
	False   ConditionStatus = "False"
	Unknown ConditionStatus = "Unknown" // the Job may try again: wait for the next Pod's report
)

// Reasons that the reporter gives where the adapter gave none of its own.
const (
	ReasonAdapterOOMKilled       = "AdapterOOMKilled"
	ReasonAdapterExitedWithError = "AdapterExitedWithError"
	ReasonAdapterMissingResults  = "AdapterMissingResults"
	ReasonInvalidResultFormat    = "InvalidResultFormat"
	ReasonAdapterTimeout         = "AdapterTimeout"
	ReasonAdapterInterrupted     = "AdapterInterrupted"
	ReasonReporterMisconfigured  = "ReporterMisconfigured"
)

// Outcome is the condition that a Job gets, without its type and times.
type Outcome struct {
	Status  ConditionStatus `json:"status"`
	Reason  string          `json:"reason"`
	Message string          `json:"message"`
}

func outcome(status ConditionStatus, reason, message string) Outcome {
	return Outcome{status, reason, truncate(clean(message), MaxMessageLength)}
}

// OOMKilled is the outcome of an adapter that was killed for its memory. More
// is what else is known, such as a termination message; it may be empty.
func OOMKilled(more string) Outcome {
	return outcome(False, ReasonAdapterOOMKilled,
		appended("Adapter container was killed due to out of memory (OOMKilled)", ": ", more))
}

// ExitedWithError is the outcome of an adapter that exited with a code other
// than 0. State is the reason of the container's state, such as Error.
func ExitedWithError(code int32, state, more string) Outcome {
	return outcome(False, ReasonAdapterExitedWithError,
		appended(fmt.Sprintf("Adapter container exited with code %d: %s", code, cmp.Or(state, "Error")), ": ", more))
}

// MissingResults is the outcome of an adapter that exited with 0 and left no
// file at path.
func MissingResults(path string) Outcome {
	return outcome(False, ReasonAdapterMissingResults,
		"Adapter container exited with code 0 but wrote no result file at "+path)
}

// InvalidFormat is the outcome of a result file that breaks the contract.
func InvalidFormat(err error) Outcome {
	return outcome(False, ReasonInvalidResultFormat, "Failed to parse adapter result: "+err.Error())
}

// Timeout is the outcome of an adapter that wrote nothing in time. Waiting is
// why its container has not started, more what else is known; both may be empty.
func Timeout(wait time.Duration, waiting, more string) Outcome {
	m := "Adapter did not produce results within " + wait.String()
	if waiting = clean(waiting); waiting != "" {
		m += " (container is waiting: " + waiting + ")"
	}
	return outcome(False, ReasonAdapterTimeout, appended(m, "; ", more))
}

// JobDeadline is the outcome of an adapter that the Job's own deadline
// overtook. Why is the reason and message of the Job's condition.
func JobDeadline(why, more string) Outcome {
	return outcome(False, ReasonAdapterTimeout,
		appended("Adapter did not produce results before the Job's deadline ("+clean(why)+")", "; ", more))
}

// Interrupted is the outcome of a run that was stopped before anything was
// known: Unknown where the Job may try again, else False. Why holds all that
// is known of the cause.
func Interrupted(mayTryAgain bool, why ...string) Outcome {
	status := False
	if mayTryAgain {
		status = Unknown
	}
	return outcome(status, ReasonAdapterInterrupted,
		appended("Adapter was stopped before it produced results", ": ", strings.Join(why, "; ")))
}

// interimSuffix tells a report that is not the last word from one that may be.
const interimSuffix = " (the Pod is being stopped; a result may still follow)"

// Interim is an outcome that is told before the stop is over.
func Interim(o Outcome) Outcome {
	o.Message = truncate(o.Message, MaxMessageLength-len(interimSuffix)) + interimSuffix
	return o
}

// Misconfigured is the outcome of a reporter that cannot start.
func Misconfigured(err error) Outcome {
	return outcome(False, ReasonReporterMisconfigured, err.Error())
}

func appended(message, separator, more string) string {
	if more = clean(more); more == "" {
		return message
	}
	return message + separator + more
}
