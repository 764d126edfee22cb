// Package natsconf makes what a NATS server between the processes of a shop needs: its configuration, a certificate, and a user with
// least permissions for each process. Only package natslayer knows the subjects, and only package shop who calls whom.
//
// The authority that signs the certificate is forgotten when both are written, so that nobody can sign another one; replacing the
// certificate is making everything anew.
package natsconf

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nkeys"

	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/channel/natslayer"
)

// The users that host nothing.
const (
	Operator = "operator" // looks who is there, `nats micro ls`
	Events   = "events"   // publishes the outbox to JetStream
)

// Names of the files.
const (
	ServerFile    = "nats-server.conf"
	AuthorityFile = "ca.crt"
	certificate   = "server.crt"
	privateKey    = "server.key"
	SeedSuffix    = ".nk" // after the name of a user
)

// Validity is how long the certificates are good for.
const Validity = 2 * 365 * 24 * time.Hour

// answerWithin is how long after a call its answer may be published: longer than any message may wait in a queue and be worked on.
const answerWithin = 5 * time.Minute

// Options say what to make. All are required.
type Options struct {
	Listen    string     // host:port
	Hosts     []string   // names and addresses of the server, as clients write them
	Prefix    string     // of every subject
	Processes [][]string // which modules live together, shop.Edge among them; each is a user
	Now       time.Time
	Random    io.Reader
}

// User is a user of the server.
type User struct {
	Name  string
	Hosts []string // modules, shop.Edge among them
	natslayer.Permissions
	Why string
}

// File is one to be written.
type File struct {
	Name   string
	Data   []byte
	Secret bool // for its owner's eyes only
}

// ParseProcesses reads "inventory+pricing": modules that share a process, and a user. The edge is a process of its own if it is not
// named.
func ParseProcesses(list []string) (processes [][]string, err error) {
	var seen []string
	for _, entry := range list {
		hosts := strings.Split(entry, "+")
		for _, host := range hosts {
			if host != shop.Edge && !slices.Contains(shop.Modules(), host) {
				return nil, fmt.Errorf("%q: there is no such module, only %s and %s", host, strings.Join(shop.Modules(), ", "), shop.Edge)
			}
			if slices.Contains(seen, host) {
				return nil, fmt.Errorf("%s is named twice: one process hosts it, which may run several times", host)
			}
			seen = append(seen, host)
		}
		processes = append(processes, hosts)
	}
	if !slices.Contains(seen, shop.Edge) {
		processes = append(processes, []string{shop.Edge})
	}
	return processes, nil
}

// Users returns the users of a server: one for each process, and two that host nothing.
func Users(prefix string, processes [][]string) (users []User) {
	for _, hosts := range processes {
		users = append(users, process(prefix, hosts))
	}
	stream := Stream(prefix)
	return append(users, User{Name: Events, Why: "publishes the events of the outbox to the stream " + stream, Permissions: natslayer.Permissions{
		Publish:   []string{prefix + ".events.>", "$JS.API.STREAM.INFO." + stream, "$JS.API.STREAM.CREATE." + stream},
		Subscribe: []string{natslayer.Inbox(prefix, Events) + ".>"},
	}}, User{Name: Operator, Why: "sees who is there and how busy: nats micro ls, stats", Permissions: natslayer.Permissions{
		Publish:   []string{"$SRV.PING", "$SRV.PING.>", "$SRV.STATS", "$SRV.STATS.>", "$SRV.INFO", "$SRV.INFO.>"},
		Subscribe: []string{"_INBOX.>"},
	}})
}

func process(prefix string, hosts []string) User {
	name, calls := strings.Join(hosts, "-"), shop.CallsOf(hosts)
	modules := slices.DeleteFunc(slices.Clone(hosts), func(host string) bool { return host == shop.Edge })
	u := User{Name: name, Hosts: hosts, Permissions: natslayer.Needs(prefix, name, modules, calls)}
	calls = slices.DeleteFunc(calls, func(module string) bool { return slices.Contains(hosts, module) })
	u.Why = "hosts " + strings.Join(hosts, " and ") + ", calls " + strings.Join(calls, ", ")
	if len(calls) == 0 {
		u.Why = "hosts " + strings.Join(hosts, " and ") + ", calls nobody"
	}
	return u
}

// Stream is the name of the JetStream stream of a shop's events.
func Stream(prefix string) string {
	return strings.ToUpper(strings.ReplaceAll(prefix, ".", "_")) + "_EVENTS"
}

// Generate makes the files.
func Generate(o Options) ([]File, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	files, err := certify(o)
	if err != nil {
		return nil, err
	}
	users := Users(o.Prefix, o.Processes)
	keys := map[string]string{}
	for _, u := range users {
		file, public, err := seed(u, o.Random)
		if err != nil {
			return nil, err
		}
		keys[u.Name] = public
		files = append(files, file)
	}
	return append(files, File{Name: ServerFile, Data: render(o, users, keys)}), nil
}

func (o Options) check() error {
	if _, _, err := net.SplitHostPort(o.Listen); err != nil {
		return fmt.Errorf("where the server listens: %w", err)
	}
	if len(o.Hosts) == 0 {
		return fmt.Errorf("the server listens on %s: say by which names its clients reach it", o.Listen)
	}
	if strings.ContainsAny(o.Prefix, "!") || strings.HasPrefix(o.Prefix, "_") { // _INBOX is everybody's
		return fmt.Errorf("prefix %q: it has letters, digits, -, _ and dots, and does not begin with _", o.Prefix)
	}
	return natslayer.CheckPrefix(o.Prefix)
}

// seed makes the nkey of a user.
func seed(u User, random io.Reader) (f File, public string, err error) {
	pair, err := nkeys.CreatePairWithRand(nkeys.PrefixByteUser, random)
	if err != nil {
		return f, "", fmt.Errorf("make the key of %s: %w", u.Name, err)
	}
	secret, err := pair.Seed()
	if err != nil {
		return f, "", err
	}
	if public, err = pair.PublicKey(); err != nil {
		return f, "", err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "# The secret of the NATS user %s.\n%s\n", u.Name, secret)
	return File{Name: u.Name + SeedSuffix, Data: text.Bytes(), Secret: true}, public, nil
}
