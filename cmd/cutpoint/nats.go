package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cutpoint/cmd/internal/natsconf"
	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/channel/natslayer"
)

type natsConfigCommand struct {
	Out     string   `help:"Directory for the files, made if it is not there." required:"" type:"path" placeholder:"DIR"`
	Listen  string   `help:"Where the NATS server listens." default:"127.0.0.1:4222" placeholder:"HOST:PORT"`
	Host    []string `help:"Names and addresses by which processes reach the server, for its certificate, besides that of --listen and localhost." placeholder:"NAME"`
	Prefix  string   `help:"First word of every subject; two shops on one server have two." default:"cutpoint"`
	Modules []string `help:"Processes: modules that share one have a + between; http is the HTTP edge, a process of its own if not named." default:"${processes}" placeholder:"MODULE+MODULE,..."`
	Force   bool     `help:"Replace what is there, the keys of all users too."`
}

// Run writes the files, and says what to do with them.
func (c *natsConfigCommand) Run(t terminal) error {
	processes, err := natsconf.ParseProcesses(c.Modules)
	if err != nil {
		return fmt.Errorf("--modules: %w", err)
	}
	files, err := natsconf.Generate(natsconf.Options{
		Listen: c.Listen, Hosts: c.hosts(), Prefix: c.Prefix, Processes: processes, Now: time.Now(), Random: rand.Reader,
	})
	if err != nil {
		return err
	}
	if err := writeFiles(c.Out, files, c.Force); err != nil {
		return err
	}
	c.explain(t, processes)
	return nil
}

// hosts are all names that the server's certificate is for. A server that listens everywhere has none by itself.
func (c *natsConfigCommand) hosts() (hosts []string) {
	listen, _, _ := net.SplitHostPort(c.Listen)
	ip := net.ParseIP(listen)
	everywhere := listen == "" || ip != nil && ip.IsUnspecified()
	if everywhere && len(c.Host) == 0 {
		return nil
	}
	if !everywhere {
		hosts = append(hosts, listen)
	}
	for _, host := range append(slices.Clone(c.Host), "localhost", "127.0.0.1", "::1") {
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// writeFiles writes new files, and replaces old ones if it may. Secrets are never in a file that others can read, not even for a moment.
func writeFiles(dir string, files []natsconf.File, replace bool) error {
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, f.Name)); err == nil && !replace {
			return fmt.Errorf("%s is there already: with --force it is replaced, and every process needs its new key", filepath.Join(dir, f.Name))
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, f := range files {
		if err := writeFile(filepath.Join(dir, f.Name), f); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path string, f natsconf.File) (err error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	mode := os.FileMode(0o644)
	if f.Secret {
		mode = 0o600
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = out.Write(f.Data)
	return errors.Join(err, out.Close())
}

func (c *natsConfigCommand) explain(t terminal, processes [][]string) {
	_, port, _ := net.SplitHostPort(c.Listen)
	url := "tls://" + net.JoinHostPort(c.hosts()[0], port)
	fmt.Fprintf(t.Out, `Wrote the configuration of a NATS server, its certificate and the keys of its users to %s.
The certificate is good for %d days. The *%s files and server.key are secrets: give each process its own, and nobody another.

Run the server:

  cd %s && nats-server -c %s

Run the processes:

`, c.Out, int(natsconf.Validity.Hours()/24), natsconf.SeedSuffix, c.Out, natsconf.ServerFile)
	prefix := ""
	if c.Prefix != natslayer.DefaultPrefix {
		prefix = " --nats-prefix " + c.Prefix
	}
	for _, u := range natsconf.Users(c.Prefix, processes) {
		if u.Hosts != nil {
			fmt.Fprintf(t.Out, "  cutpoint serve %s --channel %s --nats-key %s --nats-ca %s%s\n", hosting(u.Hosts), url,
				filepath.Join(c.Out, u.Name+natsconf.SeedSuffix), filepath.Join(c.Out, natsconf.AuthorityFile), prefix)
		}
	}
	fmt.Fprint(t.Out, "\nPayments and the HTTP edge want to know who charges cards: --payment-provider, see cutpoint serve --help.\n")
	fmt.Fprintf(t.Out, "\nSee who is there:\n\n  nats --server %s --nkey %s --tlsca %s micro ls\n", url,
		filepath.Join(c.Out, natsconf.Operator+natsconf.SeedSuffix), filepath.Join(c.Out, natsconf.AuthorityFile))
}

// hosting are the flags of serve for a process that hosts modules, the HTTP edge, or both.
func hosting(hosts []string) string {
	modules := slices.DeleteFunc(slices.Clone(hosts), func(host string) bool { return host == shop.Edge })
	flags := "--modules none"
	if len(modules) > 0 {
		flags = "--modules " + strings.Join(modules, ",")
	}
	if len(modules) == len(hosts) {
		flags += " --http=false"
	}
	return flags
}
