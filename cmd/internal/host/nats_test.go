package host

import "testing"

func TestNATSFlags(t *testing.T) {
	for _, c := range []struct {
		flags NATS
		user  string
		good  bool
	}{
		{NATS{}, "", true},
		{NATS{NATSKey: "/etc/nats/orders.nk", NATSCA: "ca.crt"}, "orders", true},
		{NATS{NATSKey: "/etc/nats/key", NATSUser: "orders"}, "orders", true},
		{NATS{NATSKey: "a.nk", NATSCreds: "a.creds"}, "a", false},
		{NATS{NATSCert: "a.crt"}, "", false},
	} {
		o, err := c.flags.ConnectOptions("cutpoint")
		if (err == nil) != c.good || c.flags.User() != c.user || c.good && (o.Key != c.flags.NATSKey || o.CA != c.flags.NATSCA) {
			t.Errorf("%+v: user %q, %+v, %v", c.flags, c.flags.User(), o, err)
		}
	}
}
