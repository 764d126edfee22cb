// Package fleet runs a shop as the processes of a deployment, for tests: one binary with everything, a process for each module, a binary
// for each module. Tests know the processes as strangers do, by their flags, what they say on stdout, HTTP and signals.
//
// Table is the list of deployments in which a shop must behave alike.
package fleet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fleet is a shop whose processes run. The first serves HTTP.
type Fleet struct {
	Processes []*Process
	options   Options
	nats      string
}

// Options say what a fleet is made of. Deployment, Program and Dir are required.
type Options struct {
	Deployment Deployment
	Program    func(name string) (path string, err error) // "cutpoint", or a module's name for its own binary
	Dir        string                                     // working directory of the processes
	Env        []string                                   // in addition to ours
	Flags      []string                                   // each as one word, --name or --name=value; a process gets those that it knows
	NATS       string                                     // URL of a server; without it the first process runs one, if the deployment needs it
	Within     func(process string) []string              // a command to run a process in, its network for instance; nil: none
	Patience   time.Duration                              // for each process to get ready; DefaultPatience
}

// DefaultPatience is how long a process may take to be ready, on a machine that is busy with many others.
const DefaultPatience = 60 * time.Second

// Start starts the processes and returns when all are ready. If one ends before that, it returns what that one said on stderr.
func Start(o Options) (*Fleet, error) {
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	f := &Fleet{options: o, nats: o.NATS}
	if err := f.startAll(); err != nil {
		f.Kill()
		return nil, err
	}
	return f, nil
}

func (f *Fleet) startAll() error {
	o := f.options
	for i, member := range o.Deployment.members {
		p, err := f.start(member, i == 0 && o.NATS == "")
		if err != nil {
			return err
		}
		f.Processes = append(f.Processes, p)
		if i == 0 && f.nats == "" && o.Deployment.Apart() {
			if f.nats, err = p.await(listening, o.Patience); err != nil {
				return err
			}
		}
	}
	for _, p := range f.Processes {
		if err := p.AwaitReady(o.Patience); err != nil {
			return err
		}
	}
	return nil
}

// start starts one process, and does not wait for it.
func (f *Fleet) start(m member, hub bool) (*Process, error) {
	path, err := f.options.Program(m.program)
	if err != nil {
		return nil, err
	}
	known, err := flagsOf(path, m.program)
	if err != nil {
		return nil, err
	}
	args := m.args()
	if f.options.Deployment.Apart() {
		if hub {
			args = append(args, "--nats-listen=127.0.0.1:0")
		} else {
			args = append(args, "--channel="+f.nats)
		}
	}
	for _, flag := range append(slices.Clone(f.options.Deployment.flags), f.options.Flags...) {
		for _, flag := range m.translate(flag) {
			if name, _, _ := strings.Cut(flag, "="); known[name] {
				args = append(args, flag)
			}
		}
	}
	command := append([]string{path}, args...)
	if f.options.Within != nil {
		command = append(f.options.Within(m.name), command...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = f.options.Dir, append(os.Environ(), f.options.Env...)
	p := &Process{Name: m.name, member: m, hub: hub, cmd: cmd, ready: running}
	if m.http {
		p.ready = serving
	}
	return p, p.start()
}

// URL is where the shop serves HTTP.
func (f *Fleet) URL() string { return f.Processes[0].URL() }

// Restart starts the process at an index again, after its end, and returns when it is ready. An address that it had is a free one again.
func (f *Fleet) Restart(i int) error {
	old := f.Processes[i]
	p, err := f.start(old.member, old.hub)
	if err != nil {
		return err
	}
	f.Processes[i] = p
	return p.AwaitReady(f.options.Patience)
}

// Stop ends the processes by SIGTERM, one after the other, callers before those that they call, and wants exit status 0 of each. The
// first is last if it runs the NATS server.
func (f *Fleet) Stop() error {
	var errs []error
	order := slices.Clone(f.Processes)
	slices.Reverse(order[1:])
	if order[0].hub && len(order) > 1 {
		order = append(order[1:], order[0])
	}
	for _, p := range order {
		errs = append(errs, p.Stop(f.options.Patience))
	}
	return errors.Join(errs...)
}

// Kill ends what still runs, by SIGKILL.
func (f *Fleet) Kill() {
	for _, p := range f.Processes {
		p.Kill()
	}
}

// Said is what the processes said on stderr.
func (f *Fleet) Said() string {
	var all strings.Builder
	for _, p := range f.Processes {
		if said := p.stderr.String(); said != "" {
			fmt.Fprintf(&all, "-- %s --\n%s", p.Name, said)
		}
	}
	return all.String()
}

var flagName = regexp.MustCompile(`--[a-z][a-z-]*`)

// flagsOf is the flags that a program knows, by its help.
func flagsOf(path, program string) (map[string]bool, error) {
	helps.Lock()
	defer helps.Unlock()
	if known, ok := helps.by[path]; ok {
		return known, nil
	}
	args := []string{"--help"}
	if program == monolith {
		args = []string{"serve", "--help"}
	}
	help, err := exec.Command(path, args...).Output()
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w", path, args, err)
	}
	known := map[string]bool{"--strict": program == monolith} // which is hidden
	for _, name := range flagName.FindAllString(strings.ReplaceAll(string(help), "--[no-]", "--"), -1) {
		known[name] = true
	}
	helps.by[path] = known
	return known, nil
}

// helps is what each program says of its flags, asked for once.
var helps = struct {
	sync.Mutex
	by map[string]map[string]bool
}{by: map[string]map[string]bool{}}

// Build builds programs by their names into a directory, with go build.
func Build(dir string, tags string, programs ...string) error {
	args := []string{"build", "-tags=" + tags, "-o", dir + string(filepath.Separator)}
	for _, p := range programs {
		args = append(args, "cutpoint/cmd/"+p)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go %v: %w: %s", args, err, out)
	}
	return nil
}
