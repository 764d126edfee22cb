package fleet

import (
	"fmt"
	"slices"
	"strings"
)

// Deployment is a way to run a shop.
type Deployment struct {
	Name  string
	Short bool // it is quick enough to be tried with every change
	// Database tells that the modules have schemas in a PostgreSQL database and not files: the URL is CUTPOINT_DB of the environment.
	Database bool

	members []member
	flags   []string // of each process that knows them
}

// Apart reports whether calls leave a process.
func (d Deployment) Apart() bool { return len(d.members) > 1 }

// monolith is the program that has everything.
const monolith = "cutpoint"

// member is a process of a deployment.
type member struct {
	name    string
	program string
	modules string // of --modules; "": a module's own binary
	http    bool
}

func (m member) args() []string {
	if m.modules == "" {
		return nil
	}
	args := []string{"serve", "--modules=" + m.modules}
	if m.http {
		return append(args, "--addr=127.0.0.1:0")
	}
	return append(args, "--http=false")
}

// translate says a flag of serve as a module's own binary has it: that shows nothing, so --demo means the settings behind it.
func (m member) translate(flag string) []string {
	if flag == "--demo" && m.modules == "" {
		return []string{"--payment-provider=test-gateway", "--webhook-allow-private"}
	}
	return []string{flag}
}

// modules names those of a shop: whoever is called stands before who calls.
func modules() []string { return []string{"inventory", "pricing", "payments", "orders", "webhooks"} }

// Table is the deployments in which a shop must behave alike.
func Table() []Deployment {
	one := []member{{"shop", monolith, "all", true}}
	table := []Deployment{
		{Name: "one-process", Short: true, members: one},
		{Name: "strict", members: one, flags: []string{"--strict"}},
	}
	for _, m := range modules() {
		table = append(table, Deployment{Name: m + "-apart", Short: m == "payments", members: without(m)})
	}
	return append(table,
		Deployment{Name: "five-processes", Short: true, members: scattered(monolith)},
		Deployment{Name: "own-binaries", Short: true, members: scattered("")},
		Deployment{Name: "postgresql", Database: true, members: one},
		Deployment{Name: "replicas", Database: true, members: append(scattered(monolith), scattered(monolith)[1:]...)},
	)
}

// Named is the deployment with a name.
func Named(name string) (Deployment, error) {
	var names []string
	for _, d := range Table() {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return Deployment{}, fmt.Errorf("there is no deployment %q, only %s", name, strings.Join(names, ", "))
}

// without is two processes: the shop, and one module of it.
func without(module string) []member {
	rest := slices.DeleteFunc(modules(), func(m string) bool { return m == module })
	return []member{{"shop", monolith, strings.Join(rest, ","), true}, {module, monolith, module, false}}
}

// scattered is the HTTP edge and a process for each module, from one program or, if that is "", from the module's own.
func scattered(program string) []member {
	members := []member{{"edge", monolith, "none", true}}
	for _, m := range modules() {
		if program == "" {
			members = append(members, member{m, m, "", false})
		} else {
			members = append(members, member{m, program, m, false})
		}
	}
	return members
}
