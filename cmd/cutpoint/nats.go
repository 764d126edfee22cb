package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
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

// natsFlags say how a process reaches the NATS server, and as whom.
type natsFlags struct {
	NatsKey     string `help:"File with the seed of this process's NATS user, from cutpoint nats-config." type:"path" placeholder:"FILE"`
	NatsUser    string `help:"Name of that user; the name of its file without .nk if not given." placeholder:"NAME"`
	NatsCreds   string `help:"File with the user's JWT and key, for servers with operator and accounts; it needs --nats-user if users are kept apart." type:"path" placeholder:"FILE"`
	NatsCA      string `name:"nats-ca" help:"Authority that signed the NATS server's certificate, PEM." type:"path" placeholder:"FILE"`
	NatsCert    string `help:"Certificate of this process, PEM, for servers that ask for one." type:"path" placeholder:"FILE"`
	NatsCertKey string `help:"Its key." type:"path" placeholder:"FILE"`
	NatsPrefix  string `help:"First word of every NATS subject; two shops on one server have two." default:"cutpoint"`
}

// user is whom the server knows this process as; "" if it keeps nobody apart. It belongs into natslayer.Options.
func (f natsFlags) user() string {
	if f.NatsUser != "" || f.NatsKey == "" {
		return f.NatsUser
	}
	return strings.TrimSuffix(filepath.Base(f.NatsKey), natsconf.SeedSuffix)
}

// options are those of a connection.
func (f natsFlags) options(log *slog.Logger) (natslayer.ConnectOptions, error) {
	if f.NatsKey != "" && f.NatsCreds != "" {
		return natslayer.ConnectOptions{}, errors.New("--nats-key and --nats-creds say who this process is: give one")
	}
	if (f.NatsCert == "") != (f.NatsCertKey == "") {
		return natslayer.ConnectOptions{}, errors.New("--nats-cert and --nats-cert-key belong together")
	}
	name := "cutpoint"
	if f.user() != "" {
		name += " " + f.user()
	}
	return natslayer.ConnectOptions{
		Name: name, Credentials: f.NatsCreds, Key: f.NatsKey, CA: f.NatsCA, Certificate: f.NatsCert, CertificateKey: f.NatsCertKey, Log: log,
	}, nil
}

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
	fmt.Fprintf(t.out, `Wrote the configuration of a NATS server, its certificate and the keys of its users to %s.
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
			fmt.Fprintf(t.out, "  cutpoint serve %s --channel %s --nats-key %s --nats-ca %s%s\n", hosting(u.Hosts), url,
				filepath.Join(c.Out, u.Name+natsconf.SeedSuffix), filepath.Join(c.Out, natsconf.AuthorityFile), prefix)
		}
	}
	fmt.Fprintf(t.out, "\nSee who is there:\n\n  nats --server %s --nkey %s --tlsca %s micro ls\n", url,
		filepath.Join(c.Out, natsconf.Operator+natsconf.SeedSuffix), filepath.Join(c.Out, natsconf.AuthorityFile))
}

// hosting are the flags of serve for a process that hosts modules, the HTTP edge, or both.
func hosting(hosts []string) string {
	modules := slices.DeleteFunc(slices.Clone(hosts), func(host string) bool { return host == shop.Edge })
	flags := "--modules none"
	if len(modules) > 0 {
		flags = "--modules " + strings.Join(modules, ",")
	}
	if len(modules) < len(hosts) {
		flags += " --http"
	}
	return flags
}
