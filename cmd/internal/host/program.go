package host

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Program is a command line: a name, what it is for, and a struct of kong's that has its flags and commands.
//
// Every flag is also an environment variable (CUTPOINT_ and its name in capitals, "_" for "-") and a key of the YAML file that
// --config names. A flag goes before the environment, the environment before the file, the file before the default.
type Program struct {
	Name, Description string
	Commands          any
	Vars              kong.Vars // that its flags name: "http" for Settings
}

// Config is the flag that every program has.
type Config struct {
	Config kong.ConfigFlag `help:"YAML file whose keys are the names of flags." placeholder:"FILE"`
}

// Terminal is where a command talks to its user.
type Terminal struct {
	Program string
	Out     io.Writer // answers
	Err     io.Writer // progress and complaints
}

// Main runs a program until it ends or is told to, and exits.
func Main(p Program) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(p.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Run does what the command line says, until ctx is done, and returns the exit status: 0, or 1 after one clear line on stderr,
// or 2 for a command line that makes no sense.
func (p Program) Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	exit := -1
	parser, err := kong.New(p.Commands,
		kong.Name(p.Name),
		kong.Description(p.Description),
		p.Vars,
		kong.DefaultEnvars("CUTPOINT"),
		kong.Configuration(loadConfig),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exit = code }), // after --help
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		panic(err) // the struct is wrong
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 {
		return exit
	}
	if err != nil {
		p.complain(stderr, err)
		return 2
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(Terminal{p.Name, stdout, stderr}); err != nil {
		p.complain(stderr, err)
		return 1
	}
	return 0
}

// complain says what went wrong in one line, whatever the error is made of.
func (p Program) complain(w io.Writer, err error) {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	fmt.Fprintf(w, "%s: %s\n", p.Name, strings.Join(lines, "; "))
}

// Version is that of the module, or the commit that the binary was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "dev-" + s.Value[:12]
		}
	}
	return "dev"
}
