package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"cutpoint/cmd/internal/shop"
)

// TestDeployExamples holds every command line and every variable of docs/deploy against the flags that there are.
func TestDeployExamples(t *testing.T) {
	deploy := filepath.Join("..", "..", "docs", "deploy")
	parser, err := kong.New(&cli{}, kong.DefaultEnvars("CUTPOINT"), program().Vars)
	if err != nil {
		t.Fatal(err)
	}
	var variables []string
	for _, command := range append(parser.Model.Leaves(true), parser.Model.Node) {
		for _, group := range command.AllFlags(false) {
			for _, flag := range group {
				variables = append(variables, flag.Envs...)
			}
		}
	}
	commands, used := 0, map[string]bool{}
	check := func(file, line string) {
		t.Helper()
		commands++
		if _, err := parser.Parse(strings.Fields(line)); err != nil {
			t.Errorf("%s: cutpoint %s: %v", file, line, err)
		}
	}
	units, err := filepath.Glob(filepath.Join(deploy, "systemd", "*.service"))
	if err != nil || len(units) < 3 {
		t.Fatalf("%d units: %v", len(units), err)
	}
	for _, file := range units {
		text := read(t, file)
		for _, m := range regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/cutpoint (.*)$`).FindAllStringSubmatch(strings.ReplaceAll(text, "\\\n", " "), -1) {
			for _, module := range shop.Modules() {
				check(file, strings.ReplaceAll(m[1], "%i", module))
			}
		}
		for _, m := range regexp.MustCompile(`(?m)^Environment=(\w+)=`).FindAllStringSubmatch(text, -1) {
			used[m[1]] = true
		}
	}
	var compose struct {
		Common   struct{ Environment map[string]string } `yaml:"x-cutpoint"`
		Services map[string]struct{ Command string }
	}
	file := filepath.Join(deploy, "compose.yml")
	if err := yaml.Unmarshal([]byte(read(t, file)), &compose); err != nil {
		t.Fatal(err)
	}
	for name := range compose.Common.Environment {
		used[name] = true
	}
	for _, module := range append([]string{"edge"}, shop.Modules()...) {
		if compose.Services[module].Command == "" {
			t.Errorf("%s runs no %s", file, module)
		}
		check(file, compose.Services[module].Command)
	}
	for name := range used {
		if !slices.Contains(variables, name) {
			t.Errorf("no flag reads %s", name)
		}
	}
	if commands < 10 || len(used) < 6 {
		t.Errorf("only %d command lines and %d variables were looked at", commands, len(used))
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
