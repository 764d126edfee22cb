package webhook_test

import (
	"net/netip"
	"testing"

	"cutpoint/platform/webhook"
)

func TestPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"1.1.1.1":              true,
		"93.184.216.34":        true,
		"172.32.0.1":           true,
		"100.128.0.1":          true,
		"2606:4700:4700::1111": true,
		"2a00:1450:4001::200e": true,
		"::ffff:1.1.1.1":       true,

		"127.0.0.1":         false,
		"127.8.8.8":         false,
		"::1":               false,
		"::ffff:127.0.0.1":  false,
		"0.0.0.0":           false,
		"0.1.2.3":           false,
		"::":                false,
		"10.0.0.1":          false,
		"172.16.0.1":        false,
		"172.31.255.255":    false,
		"192.168.1.1":       false,
		"::ffff:10.1.2.3":   false,
		"fd00::1":           false,
		"fd00:ec2::254":     false, // AWS's metadata
		"169.254.169.254":   false, // the metadata of most clouds
		"168.63.129.16":     false, // Azure's
		"100.100.100.200":   false, // Alibaba's
		"100.64.0.1":        false,
		"fe80::1":           false,
		"fe80::1%eth0":      false,
		"fec0::1":           false,
		"224.0.0.1":         false,
		"ff02::1":           false,
		"255.255.255.255":   false,
		"240.0.0.1":         false,
		"192.0.2.1":         false,
		"198.18.0.1":        false,
		"64:ff9b::7f00:1":   false, // NAT64 of 127.0.0.1
		"64:ff9b::a00:1":    false,
		"2002:7f00:1::1":    false, // 6to4 of 127.0.0.1
		"2001:0:1:2:3:4::1": false, // Teredo
		"::7f00:1":          false, // 127.0.0.1, the deprecated way
		"2001:db8::1":       false,
		"100::1":            false,
	} {
		if got := webhook.Public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
	if webhook.Public(netip.Addr{}) {
		t.Error("no address at all is public")
	}
}
