package natsserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

func TestStart(t *testing.T) {
	s, err := Start("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	taken := strings.TrimPrefix(s.ClientURL(), "nats://")
	config := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(config, []byte(`authorization { user: shop, password: "a long one" }`), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ addr, config, want string }{
		"no port":             {"127.0.0.1", "", "missing port"},
		"a port by name":      {"127.0.0.1:nats", "", "nats"},
		"all the world":       {"0.0.0.0:0", "", "say who may do what with --nats-config"},
		"an address in use":   {taken, "", "address already in use"},
		"a file that is none": {"127.0.0.1:0", "nowhere.conf", "--nats-config"},
	} {
		if s, err := Start(c.addr, c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
			if err == nil {
				s.Stop()
			}
		}
	}
	guarded, err := Start("0.0.0.0:0", config)
	if err != nil {
		t.Fatal(err)
	}
	defer guarded.Stop()
	if _, err := nats.Connect(guarded.ClientURL()); err == nil {
		t.Error("nobody asked who it is")
	}
}
