package fences

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

// directives are the comments to the compiler that a module may contain.
var directives = []string{"//go:build", "//go:generate"}

func hatches(t *tree, found report) {
	for _, p := range t.modules() {
		for _, other := range p.others {
			if path.Ext(other) != ".md" {
				found(place{other, 1}, "a module consists of Go files; this may be assembled, linked or embedded (SQL belongs into migrations/%s)", p.owner)
			}
		}
		for i := range importsOf(p.code()) {
			switch {
			case i.path == "C", i.path == "unsafe", i.path == "plugin":
				found(i.at, "a module imports %q", i.path)
			case i.local == "_":
				found(i.at, "a module imports %q for its side effects", i.path)
			case i.local == ".":
				found(i.at, "a module imports %q without a name, which hides what it uses", i.path)
			}
		}
		for c := range comments(p.code()) {
			if name, _, _ := strings.Cut(c.Text, " "); strings.HasPrefix(name, "//go:") && !slices.Contains(directives, name) {
				found(t.place(c.Pos()), "a module contains the directive %s", name)
			}
		}
	}
}

// comments yields every comment of some files.
func comments(files []*file) func(yield func(*ast.Comment) bool) {
	return func(yield func(*ast.Comment) bool) {
		for _, f := range files {
			for _, group := range f.syntax.Comments {
				for _, c := range group.List {
					if !yield(c) {
						return
					}
				}
			}
		}
	}
}

// modules returns the packages under modules/.
func (t *tree) modules() []*pkg {
	return slices.DeleteFunc(slices.Clone(t.packages), func(p *pkg) bool { return p.owner == "" })
}

// processNames are what reaches all of the process, by package.
var processNames = map[string][]string{
	"os":            {"Setenv", "Unsetenv", "Clearenv", "Getenv", "LookupEnv", "Environ", "ExpandEnv", "Chdir", "Args", "Exit", "Stdin", "Stdout", "Stderr"},
	"syscall":       {"Setenv", "Getenv", "Environ", "Exit", "Kill"},
	"flag":          {"Parse", "Bool", "Int", "String", "Duration", "CommandLine", "Var"},
	"log":           {"SetOutput", "SetFlags", "SetPrefix", "Default", "Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf"},
	"log/slog":      {"SetDefault", "Default", "SetLogLoggerLevel", "Debug", "Info", "Warn", "Error", "DebugContext", "InfoContext", "WarnContext", "ErrorContext"},
	"net/http":      {"DefaultServeMux", "Handle", "HandleFunc"},
	"os/signal":     {"Notify", "NotifyContext", "Ignore", "Reset"},
	"runtime":       {"GOMAXPROCS"},
	"runtime/debug": {"SetGCPercent", "SetMemoryLimit", "SetMaxStack", "SetMaxThreads"},
	"expvar":        {"Publish", "NewInt", "NewFloat", "NewMap", "NewString"},
}

func processWide(t *tree, found report) {
	t.deny(processNames, func(at place, name string) { found(at, "%s belongs to the whole process", name) })
}

// outsideNames are what a simulation could not drive. Timers are driven by testing/synctest.
var outsideNames = map[string][]string{
	"time":         {"Now", "Since", "Until", "Sleep"},
	"crypto/rand":  {"Reader", "Read", "Int", "Text", "Prime"},
	"math/rand":    {"New", "NewSource", "Seed", "Int", "Intn", "Int63", "Int63n", "Float64", "Perm", "Shuffle"},
	"math/rand/v2": {"Int", "IntN", "Int64", "Int64N", "Uint64", "N", "Float64", "Perm", "Shuffle"},
}

func outside(t *tree, found report) {
	t.deny(outsideNames, func(at place, name string) { found(at, "%s can't be driven by a simulation", name) })
}

// networkNames are what a face could open a connection with; it imports net/http for methods and status codes.
var networkNames = map[string][]string{
	"net/http": {"Get", "Head", "Post", "PostForm", "NewRequest", "NewRequestWithContext", "Client", "Transport", "DefaultClient",
		"DefaultTransport", "Server", "Serve", "ServeTLS", "ListenAndServe", "ListenAndServeTLS"},
	"net": {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialUnix", "DialIP", "Dialer", "Listen", "ListenPacket", "ListenTCP",
		"ListenUDP", "ListenUnix", "ListenConfig"},
}

// networkPackages are what contracts, doors and bodies do not even import. Parsing an address (net/url, net/mail, net/netip)
// opens no connection.
var networkPackages = []string{"net", "net/http", "net/http/httputil", "net/rpc", "net/smtp", "net/textproto", "crypto/tls", "os/exec"}

// adapters are the packages whose business is a connection to somebody outside. Each stands here by name, for a reason that its
// package comment gives, and only bodies and doors of its own module can import it.
var adapters = []string{
	"modules/payments/internal/stripe", // asks Stripe for money
	"modules/webhooks/internal/sender", // posts webhooks, to public addresses unless the operator allows others
}

// network lets faces import net/http, and adapters whatever they need of the network.
func network(t *tree, found report) {
	for _, p := range t.modules() {
		if p.role == face || slices.Contains(adapters, p.path) {
			continue
		}
		for i := range importsOf(p.code()) {
			if slices.Contains(networkPackages, i.path) {
				found(i.at, "package %s imports %s", p.path, i.path)
			}
		}
	}
	t.deny(networkNames, func(at place, name string) {
		if !slices.Contains(adapters, path.Dir(at.file)) {
			found(at, "%s is a way to the network", name)
		}
	})
}

// deny finds where a module uses one of some names of packages. A local variable that shadows the package is taken for it.
func (t *tree) deny(names map[string][]string, found func(at place, name string)) {
	for _, p := range t.modules() {
		for _, f := range p.code() {
			paths := f.locals()
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					if of := paths.of(s.X); slices.Contains(names[of], s.Sel.Name) {
						found(t.place(s.Pos()), of+"."+s.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// locals are the names by which a file knows the packages that it imports.
type locals map[string]string

func (f *file) locals() locals {
	names := locals{}
	for _, i := range f.imports {
		names[i.local] = i.path
	}
	return names
}

// of returns the import path of the package that an expression names, or "".
func (l locals) of(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return l[id.Name]
	}
	return ""
}
