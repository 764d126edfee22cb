package natsconf

import (
	"bufio"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cutpoint/platform/channel/natslayer"
)

// Whoever is nobody, or believes nobody, is turned away at once, and told why.
func TestTheDoorIsShut(t *testing.T) {
	s := run(t, apart(t))
	other := write(t, apart(t))
	for what, c := range map[string]struct {
		change func(*natslayer.ConnectOptions)
		says   string
	}{
		"a wrong seed":          {func(o *natslayer.ConnectOptions) { o.Key = filepath.Join(other, "orders.nk") }, "does not know this user"},
		"no seed":               {func(o *natslayer.ConnectOptions) { o.Key = "" }, "does not know this user; is the missing key"},
		"a file without a seed": {func(o *natslayer.ConnectOptions) { o.Key = filepath.Join(s.dir, AuthorityFile) }, "the seed of the NATS user in"},
		"another authority":     {func(o *natslayer.ConnectOptions) { o.CA = filepath.Join(other, AuthorityFile) }, "certificate is not signed by " + other},
		"no authority":          {func(o *natslayer.ConnectOptions) { o.CA = "" }, "certificate is not signed by any authority that the system trusts"},
		"no certificate there":  {func(o *natslayer.ConnectOptions) { o.CA = filepath.Join(s.dir, "orders.nk") }, "has no certificate in PEM"},
	} {
		t.Run(what, func(t *testing.T) {
			o := s.options("orders")
			c.change(&o)
			start := time.Now()
			nc, err := natslayer.Connect(s.url, o)
			if err == nil {
				nc.Close()
				t.Fatal("it came in")
			}
			if !strings.Contains(err.Error(), c.says) || time.Since(start) > patience {
				t.Errorf("after %v it says %v, want %q", time.Since(start), err, c.says)
			}
		})
	}
	t.Run("plain TCP", func(t *testing.T) {
		c, err := net.Dial("tcp", s.server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(patience))
		r := bufio.NewReader(c)
		if info, err := r.ReadString('\n'); err != nil || !strings.Contains(info, `"tls_required":true`) {
			t.Fatalf("%s, %v", info, err)
		}
		if _, err := io.WriteString(c, "CONNECT {\"verbose\":true}\r\nPING\r\n"); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(r); strings.Contains(string(rest), "PONG") {
			t.Errorf("it says %q, %v", rest, err)
		}
	})
}

func TestTheCertificateIsForTheServerAlone(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	files, err := Generate(Options{
		Listen: "0.0.0.0:4222", Hosts: []string{"nats.example.com", "10.0.0.7"}, Prefix: "shop", Processes: apart(t), Now: now, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	parse := func(name string) *x509.Certificate {
		i := slices.IndexFunc(files, func(f File) bool { return f.Name == name })
		block, _ := pem.Decode(files[i].Data)
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	roots := x509.NewCertPool()
	roots.AddCert(parse(AuthorityFile))
	for _, c := range []struct {
		host string
		at   time.Time
		good bool
	}{
		{"nats.example.com", now, true},
		{"10.0.0.7", now.Add(Validity - time.Second), true},
		{"10.0.0.7", now.Add(Validity + time.Second), false},
		{"localhost", now, false},
	} {
		_, err := parse(certificate).Verify(x509.VerifyOptions{DNSName: c.host, Roots: roots, CurrentTime: c.at})
		if (err == nil) != c.good {
			t.Errorf("for %s at %v: %v", c.host, c.at, err)
		}
	}
}

func TestWhatMakesNoSense(t *testing.T) {
	for _, list := range [][]string{{"stock"}, {"orders", "orders+pricing"}, {"orders+"}, {""}} {
		if _, err := ParseProcesses(list); err == nil {
			t.Errorf("processes %q were taken", list)
		}
	}
	good := Options{Listen: ":4222", Hosts: []string{"nats"}, Prefix: prefix, Processes: apart(t), Now: time.Now(), Random: rand.Reader}
	for what, change := range map[string]func(*Options){
		"no port":              func(o *Options) { o.Listen = "127.0.0.1" },
		"no name":              func(o *Options) { o.Hosts = nil },
		"a wildcard as prefix": func(o *Options) { o.Prefix = "*" },
		"everybody's inbox":    func(o *Options) { o.Prefix = "_INBOX" },
	} {
		o := good
		change(&o)
		if _, err := Generate(o); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
	if _, err := Generate(good); err != nil {
		t.Error(err)
	}
}

// The same keys make the same file: what changed between two is what somebody changed.
func TestTheConfigurationIsDeterministicAndHasNoSecrets(t *testing.T) {
	o := Options{Listen: ":4222", Prefix: prefix, Processes: apart(t), Now: time.Now()}
	users := Users(prefix, o.Processes)
	if a, b := render(o, users, nil), render(o, Users(prefix, o.Processes), nil); string(a) != string(b) {
		t.Error("two files of the same users differ")
	}
	o.Hosts, o.Random = []string{"nats"}, rand.Reader
	files, err := Generate(o)
	if err != nil {
		t.Fatal(err)
	}
	conf := string(files[len(files)-1].Data)
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name, SeedSuffix); ok {
			seed := strings.Split(string(f.Data), "\n")[1]
			if !f.Secret || strings.Contains(conf, seed) || !strings.Contains(conf, "# "+name+": ") {
				t.Errorf("the seed of %s is no secret, or it is no user", name)
			}
		}
	}
}
