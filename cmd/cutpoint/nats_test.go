package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is secret only its owner can read, also where a file that all could read was before; and nothing of it is printed.
func TestNatsConfigKeepsSecrets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nats")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "orders.nk"), nil, 0o644); err != nil { //nolint:gosec // that is the point
		t.Fatal(err)
	}
	var out, complaints bytes.Buffer
	if status := run(t.Context(), []string{"nats-config", "--out", dir, "--force"}, &out, &complaints); status != 0 {
		t.Fatalf("status %d: %s", status, complaints.String())
	}
	secrets := 0
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".nk") && f.Name() != "server.key" {
			continue
		}
		secrets++
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if secret := strings.Split(string(text), "\n")[1]; strings.Contains(out.String()+complaints.String(), secret) {
			t.Errorf("%s was printed", f.Name())
		}
	}
	if secrets != 9 {
		t.Errorf("%d secrets, want those of 8 users and the server's", secrets)
	}
}
