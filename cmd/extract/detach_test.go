package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testDetached takes the module's body out of a copy of the repository, and runs a shop that is built of the rest beside the module's
// own program. The audit reads every datastore, so it is left to a program that still has all of them.
func testDetached(t *testing.T, module, own, audit string) {
	t.Helper()
	copied := copyRepository(t)
	e := extraction{root: copied, module: module}
	if err := e.detach(); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"cmd/" + module, "modules/" + module + "/internal", "modules/" + module + "/" + module + "mod"} {
		if _, err := os.Stat(filepath.Join(copied, gone)); err == nil {
			t.Errorf("%s is there", gone)
		}
	}
	if *all {
		goes(t, copied, "build", "./...")
	}
	goes(t, copied, "test", "./cmd/internal/fences", "-run", "TestTree|TestContracts")
	cutpoint := filepath.Join(t.TempDir(), "cutpoint")
	goes(t, copied, "build", "-o", cutpoint, "./cmd/cutpoint")
	if said := fails(t, copied, cutpoint, "serve", "--demo", "--data", t.TempDir()); !strings.Contains(said, module+" is not in this program") {
		t.Errorf("with all modules it says %s", said)
	}
	testShop(t, cutpoint, own, audit, module)
}

// copyRepository returns a copy of the repository as it is, committed.
func copyRepository(t *testing.T) string {
	t.Helper()
	e, to := extraction{root: root}, t.TempDir()
	if err := e.look(); err != nil {
		t.Fatal(err)
	}
	e.out = to
	for _, f := range e.tracked {
		content, err := os.ReadFile(filepath.Join(e.root, f))
		if err != nil {
			t.Fatal(err)
		}
		if err := e.put(f, content); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, to)
	return to
}
