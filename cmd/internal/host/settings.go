package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"cutpoint/platform/telemetry"
	"cutpoint/platform/web"
)

// Datastores are the flags of programs that open datastores.
type Datastores struct {
	Data     string            `help:"Directory of the datastores." default:"data" type:"path"`
	DB       string            `name:"db" help:"postgres:// URL of a database in which each module has a schema of its own; without it, a module has a SQLite file in --data." placeholder:"URL"`
	ModuleDB map[string]string `name:"module-db" help:"The same for single modules, with roles of their own: payments=postgres://...; the others take --db." mapsep:"," placeholder:"MODULE=URL,..."`
}

// Settings are the flags of every program that runs modules. ${addr} and ${http} are its own defaults.
type Settings struct {
	Addr string `help:"Address to serve HTTP on." default:"127.0.0.1:8080"`
	HTTP bool   `name:"http" help:"Serve HTTP; --http=false: only the modules." default:"${http}"`
	Datastores
	Channel string `help:"Where modules of other processes are: the URL of a NATS server, or memory if there are none." default:"memory" placeholder:"URL"`
	NATS
	ChannelWait     time.Duration  `help:"How long to wait for a NATS server that is not up yet." default:"30s"`
	ChannelCapacity int            `help:"Calls that may wait for a module before more are refused (503 channel_full); a busy module answers 100 in a tenth of a second." default:"100"`
	Workers         int            `help:"Calls that a module handles at once. Most wait for a commit that others share, so there are more than processors." default:"64"`
	ModuleCapacity  map[string]int `help:"Capacity of single modules, payments=50,orders=500 for instance; the others take --channel-capacity." mapsep:"," placeholder:"MODULE=N,..."`
	ModuleWorkers   map[string]int `help:"Workers of single modules; the others take --workers." mapsep:"," placeholder:"MODULE=N,..."`
	CallTimeout     time.Duration  `help:"Longest wait of a module for another one." default:"5s"`
	RequestTimeout  time.Duration  `help:"Deadline of an HTTP request." default:"30s"`
	BodyLimit       int64          `help:"Largest HTTP request body in bytes." default:"1048576"`
	ShutdownTimeout time.Duration  `help:"How long requests under way may take after SIGTERM." default:"30s"`
	LogLevel        string         `help:"debug, info, warn or error." default:"info"`
	LogFormat       string         `help:"text or json." default:"text"`
}

// Options are the options of a process with these settings, which writes its log to the terminal. Modules are left open.
func (s Settings) Options(t Terminal) (Options, error) {
	log, err := telemetry.NewLog(t.Err, s.LogLevel, s.LogFormat)
	if err != nil {
		return Options{}, err
	}
	o := s.Datastores.Options()
	o.Channel, o.Prefix, o.User, o.ConnectWait = s.Channel, s.NATSPrefix, s.User(), s.ChannelWait
	o.NATS, err = s.ConnectOptions(t.Program)
	o.Capacity, o.Workers, o.ModuleCapacity, o.ModuleWorkers = s.ChannelCapacity, s.Workers, s.ModuleCapacity, s.ModuleWorkers
	o.CallTimeout, o.RequestTimeout, o.BodyLimit = s.CallTimeout, s.RequestTimeout, s.BodyLimit
	o.Version, o.Log = Version(), log
	return o, err
}

// Options are the options of a process that only opens datastores.
func (d Datastores) Options() Options { return Options{Data: d.Data, DB: d.DB, ModuleDB: d.ModuleDB} }

// Run answers HTTP, if there is an api, and lets the modules work until ctx is done. Then it finishes the requests under way. It says
// on the terminal when it is ready, and what it runs; greet may add to that, with the address that is served.
func (s Settings) Run(ctx context.Context, t Terminal, h *Host, api *web.API, greet func(addr string)) error {
	if api == nil {
		fmt.Fprintf(t.Out, "%s %s runs %v on %s\n", t.Program, Version(), h.options.Modules, redacted(h.options.Channel))
		<-ctx.Done()
		h.Log.Info("stopping")
		return nil
	}
	server, err := web.Listen(s.Addr, api)
	if err != nil {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	fmt.Fprintf(t.Out, "%s %s serves on http://%s\n", t.Program, Version(), server.Addr())
	greet(server.Addr())
	select {
	case <-ctx.Done():
	case err := <-server.Failed():
		return fmt.Errorf("serve HTTP: %w", err)
	}
	h.Log.Info("stopping: finishing the requests under way")
	h.Retire()
	stopping, cancel := context.WithTimeout(context.Background(), s.ShutdownTimeout)
	defer cancel()
	return server.Stop(stopping)
}

// Close closes the process within the time that the settings give it.
func (s Settings) Close(h *Host) error {
	closing, cancel := context.WithTimeout(context.Background(), s.ShutdownTimeout)
	defer cancel()
	return h.Close(closing)
}

// Serve is the life of a program that has one module: it starts what build returns, serves the module's own routes if it is asked to,
// and stops when ctx is done.
func (s Settings) Serve(ctx context.Context, t Terminal, module string, build func(*Host) (Module, error), face func(*web.API, *Host)) (err error) {
	o, err := s.Options(t)
	if err != nil {
		return err
	}
	if s.Channel == InMemory {
		return errors.New("nobody could reach it: say with --channel where the other modules are, nats://... for instance")
	}
	o.Modules, o.Known = []string{module}, []string{module}
	UseAllProcessors()
	h, err := Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close(h)) }()
	m, err := build(h)
	if err != nil {
		return err
	}
	var api *web.API
	if s.HTTP {
		if err := h.OpenKeys(ctx); err != nil {
			return err
		}
		api = h.NewAPI()
		face(api, h)
	}
	if err := h.Start(ctx, Running{module, m}); err != nil {
		return err
	}
	return s.Run(ctx, t, h, api, func(string) {})
}

// UseAllProcessors lets more goroutines run than there are cores: a commit holds its processor while the disk works, and with
// as many processors as cores nobody could queue up for the next commit meanwhile. GOMAXPROCS in the environment goes first.
func UseAllProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2 * runtime.NumCPU())
	}
}
