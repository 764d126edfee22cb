// Package contracttest holds a contract to what it has promised before.
//
// A contract's test is one call of Run. It finds every operation by the methods of the contract's client, calls each of them with a
// message in which nothing is zero, and compares what travels with the golden files in testdata/contract:
//
//	reserve.request.json   what a caller sends
//	reserve.response.json  what is answered
//	faults.json            the codes of the faults, with kind and outcome
//	values.json            the exported string constants: states, events
//
// A golden file is what other versions of the module and its callers say. What it holds may not change or go; something new beside it
// only has to be written down, with -update. No flag writes down a break: see docs/contracts.md for what to do instead.
//
// Pass carries messages of another version through a contract, and Describe reads the faults and constants of one, for those who compare
// two versions.
package contracttest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cutpoint/platform/rpc"
)

var update = flag.Bool("update", false, "write down what is new in a contract")

const directory = "testdata/contract"

// Run tests the contract in whose directory the test runs: the name of its module, and how its client is made.
func Run[C any](t *testing.T, module string, client func(*rpc.Caller) C) {
	t.Helper()
	old, err := read(directory)
	if err != nil {
		t.Fatal(err)
	}
	broken, fresh, err := check(".", old, module, client)
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range broken {
		t.Errorf("%s: %s\n\t%s", module, finding, instead)
	}
	switch {
	case len(broken) > 0 || len(fresh) == 0:
	case *update:
		if err := write(directory, fresh); err != nil {
			t.Fatal(err)
		}
	default:
		for file := range fresh {
			t.Errorf("%s: %s has something new, which breaks nobody: write it down with `make golden`", module, file)
		}
	}
}

// check returns what the contract whose source is in dir has broken since its golden files were written, and the files that have
// something new.
func check[C any](dir string, old map[string][]byte, module string, client func(*rpc.Caller) C) (broken []string, fresh map[string][]byte, err error) {
	operations, err := Operations(module, client)
	if err != nil {
		return nil, nil, err
	}
	today, err := Describe(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range operations {
		today[o.file("request")], today[o.file("response")] = o.Request, o.Response
	}
	broken, fresh = compare(old, today)
	if len(broken) == 0 {
		broken = readBack(old, operations)
	}
	return broken, fresh, nil
}

const instead = "instead: leave it as it is and put a v2 beside it; docs/contracts.md tells how"

// file is the name of the golden file of one message.
func (o Operation) file(message string) string {
	_, name, _ := strings.Cut(o.Name, ".")
	return name + "." + message + ".json"
}

// read returns the golden files by name; none before the first are written.
func read(dir string) (map[string][]byte, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, path := range paths {
		if files[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func write(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		var indented bytes.Buffer
		if err := json.Indent(&indented, text, "", "  "); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		indented.WriteByte('\n')
		if err := os.WriteFile(filepath.Join(dir, name), indented.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
