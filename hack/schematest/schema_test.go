// Package schematest runs the golden suite's result files through its JSON
// Schema. The expected conditions are what the reporter's parser makes of the
// same files, which the tests of package contract see to.
package schematest

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const suite = "../../testdata/"

// Index is of index.json what matters here.
type Index struct {
	Schema string
	Cases  []Case
}

// Case is a case of the suite.
type Case struct {
	Name, Group, Rule string
	Files             struct{ Input, Condition string }
}

// differences are all cases on which a validator and the reporter do not agree,
// as ../../testdata/README.md lists their kinds. The JSON library is Go's; with
// another there may be more under the rules syntax and encoding.
var differences = map[string]string{
	"invalid-duplicate-details":      "accepted",
	"invalid-duplicate-escaped":      "accepted",
	"invalid-duplicate-name-empty":   "accepted",
	"invalid-duplicate-name-hostile": "accepted",
	"invalid-duplicate-same-value":   "accepted",
	"invalid-duplicate-status":       "accepted",
	"invalid-duplicate-unknown":      "accepted",
	"invalid-too-large":              "accepted",
	"valid-byte-order-mark":          "refused",
}

// mayDiffer are the rules that a schema cannot express.
const mayDiffer = "duplicates size syntax encoding"

func TestSchema(t *testing.T) {
	var index Index
	load(t, "index.json", &index)
	schema, err := jsonschema.NewCompiler().Compile(suite + index.Schema)
	if err != nil {
		t.Fatal(err)
	}
	judged, refused := 0, 0
	differ := map[string]bool{}
	for _, c := range index.Cases {
		if c.Group != "contract" {
			continue
		}
		var want struct{ Reason string }
		load(t, c.Files.Condition, &want)
		valid := want.Reason != "InvalidResultFormat"
		err := validate(schema, read(t, c.Files.Input))
		judged++
		if err != nil {
			refused++
		}
		if valid == (err == nil) {
			continue
		}
		differ[c.Name] = true
		verdict := "accepted"
		if err != nil {
			verdict = "refused"
		}
		if differences[c.Name] != verdict || !strings.Contains(mayDiffer, c.Rule) {
			t.Errorf("%s (rule %s): the schema and the reporter differ: %s (%v)", c.Name, c.Rule, verdict, err)
		}
	}
	for name := range differences {
		if !differ[name] {
			t.Errorf("%s: the schema and the reporter agree, against the list", name)
		}
	}
	if judged < 100 || refused < 50 {
		t.Errorf("%d files judged, %d refused: these are not all", judged, refused)
	}
}

func validate(schema *jsonschema.Schema, data []byte) error {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return schema.Validate(document)
}

// TestSchemaExamples: the schema's own examples are valid by it.
func TestSchemaExamples(t *testing.T) {
	var index Index
	load(t, "index.json", &index)
	var document struct{ Examples []json.RawMessage }
	load(t, index.Schema, &document)
	schema, err := jsonschema.NewCompiler().Compile(suite + index.Schema)
	if err != nil {
		t.Fatal(err)
	}
	for _, example := range document.Examples {
		if err := validate(schema, example); err != nil {
			t.Errorf("%s: %v", example, err)
		}
	}
	if len(document.Examples) == 0 {
		t.Error("no examples")
	}
}

func load(t *testing.T, name string, into any) {
	t.Helper()
	if err := json.Unmarshal(read(t, name), into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(suite + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
