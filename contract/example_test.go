package contract_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// An adapter's last act. In a Pod the path is the value of RESULTS_PATH, or
// contract.DefaultResultsPath.
func ExampleWriteFile() {
	dir, err := os.MkdirTemp("", "results")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "adapter-result.json")

	err = contract.WriteFile(path, contract.Result{
		Status:  contract.Failure,
		Reason:  "QuotaExceeded",
		Message: "CPU quota of project p-1 is used up",
		Details: []byte(`{"limit":24,"used":24}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", data)
	// Output:
	// {"status":"failure","reason":"QuotaExceeded","message":"CPU quota of project p-1 is used up","details":{"limit":24,"used":24}}
}

// The condition that a result makes of the Job.
func ExampleParse() {
	result, err := contract.Parse([]byte(`{"status": "success", "reason": "  ValidationPassed"}`))
	if err != nil {
		log.Fatal(err)
	}
	o := result.Outcome()
	fmt.Printf("Available=%s (%s): %s\n", o.Status, o.Reason, o.Message)
	// Output:
	// Available=True (ValidationPassed): No message provided
}

// Where a result file is wrong.
func ExampleParseError() {
	_, err := contract.Parse([]byte(`{"status": "Success"}`))
	var fault *contract.ParseError
	if errors.As(err, &fault) {
		fmt.Println(fault)
		fmt.Println("after byte", fault.Offset)
	}
	// Output:
	// status: must be either 'success' or 'failure'
	// after byte 11
}
