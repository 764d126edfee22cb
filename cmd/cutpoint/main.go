// Command cutpoint is the whole shop in one binary: `cutpoint serve --demo` takes orders with no other service. With --modules and
// --channel a process of it runs some of the modules, and finds the others over NATS.
package main

import (
	"context"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/shop"
)

// cli is the command line.
type cli struct {
	host.Config

	Serve      serveCommand      `cmd:"" help:"Run the shop."`
	Demo       demoCommand       `cmd:"" help:"Place orders in a shop of its own, or in a running one, and sum up."`
	Load       loadCommand       `cmd:"" help:"Measure orders a second and their latencies."`
	Import     importCommand     `cmd:"" help:"Bring in items, stock and prices from a CSV or JSONL file."`
	Keys       keysCommand       `cmd:"" help:"Manage API keys, also while the shop runs."`
	Migrate    migrateCommand    `cmd:"" help:"Bring the datastores up to date, or show their state."`
	Audit      auditCommand      `cmd:"" help:"Check that the data of a shop hold together, while none runs on it, and repair what can be derived."`
	NatsConfig natsConfigCommand `cmd:"" help:"Write the configuration of a NATS server between the processes of a shop, with a user for each."`
	Modules    modulesCommand    `cmd:"" help:"Show the modules, who calls whom (--graph), and whether one could leave (--check)."`
	Openapi    openapiCommand    `cmd:"" help:"Print the description of the HTTP API, OpenAPI 3.1 as JSON."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

func program() host.Program {
	return host.Program{
		Name: "cutpoint", Description: "An order backend that starts as one binary and can be cut apart later.",
		Commands: &cli{}, Vars: kong.Vars{
			"http": "true", "modules": strings.Join(shop.Modules(), ", "), "processes": strings.Join(append(shop.Modules(), shop.Edge), ","),
		},
	}
}

func main() { host.Main(program()) }

// terminal is where a command talks to its user.
type terminal = host.Terminal

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return program().Run(ctx, args, stdout, stderr)
}
