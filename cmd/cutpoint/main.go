// Command cutpoint is the whole shop in one binary: `cutpoint serve --demo` takes orders with no other service.
//
// Every flag is also an environment variable (CUTPOINT_ and its name in capitals, "_" for "-") and a key of the YAML file that
// --config names. A flag goes before the environment, the environment before the file, the file before the default.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	Config kong.ConfigFlag `help:"YAML file whose keys are the names of flags." placeholder:"FILE"`

	Serve   serveCommand   `cmd:"" help:"Run the shop."`
	Demo    demoCommand    `cmd:"" help:"Place orders in a shop of its own, or in a running one, and sum up."`
	Load    loadCommand    `cmd:"" help:"Measure orders a second and their latencies."`
	Import  importCommand  `cmd:"" help:"Bring in items, stock and prices from a CSV or JSONL file."`
	Keys    keysCommand    `cmd:"" help:"Manage API keys, also while the shop runs."`
	Migrate migrateCommand `cmd:"" help:"Bring the datastores up to date, or show their state."`
	Audit   auditCommand   `cmd:"" help:"Check that the data of a shop hold together, while none runs on it, and repair what can be derived."`
	Openapi openapiCommand `cmd:"" help:"Print the description of the HTTP API, OpenAPI 3.1 as JSON."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// terminal is where a command talks to its user.
type terminal struct {
	out io.Writer // answers
	err io.Writer // progress and complaints
}

// run does what the command line says, until ctx is done, and returns the exit status: 0, or 1 after one clear line on stderr,
// or 2 for a command line that makes no sense.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := cli{}
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("cutpoint"),
		kong.Description("An order backend that starts as one binary and can be cut apart later."),
		kong.DefaultEnvars("CUTPOINT"),
		kong.Configuration(loadConfig),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exit = code }), // after --help
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		panic(err) // the struct above is wrong
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 {
		return exit
	}
	if err != nil {
		complain(stderr, err)
		return 2
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(terminal{stdout, stderr}); err != nil {
		complain(stderr, err)
		return 1
	}
	return 0
}

// complain says what went wrong in one line, whatever the error is made of.
func complain(w io.Writer, err error) {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	fmt.Fprintf(w, "cutpoint: %s\n", strings.Join(lines, "; "))
}
