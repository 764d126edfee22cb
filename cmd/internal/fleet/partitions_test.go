package fleet

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPartitions cuts the network between the NATS server and the host of each module, while customers order, and heals it. Each module
// and the server have a network namespace of their own on a bridge; the HTTP edge and the customers are in the one of the bridge. All of it
// happens in a namespace that ends with the test, so the machine's own network is left alone.
func TestPartitions(t *testing.T) {
	if os.Getenv(inHub) != "" {
		partitions(t)
		return
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	isolate := []string{"unshare", "--net", "--mount"}
	if os.Getuid() != 0 {
		isolate = append(isolate, "--map-root-user")
	}
	try := append(isolate, "ip", "link", "set", "lo", "up")
	if out, err := exec.Command(try[0], try[1:]...).CombinedOutput(); err != nil {
		t.Skipf("network namespaces are not permitted here: %v: %v: %s", try, err, out)
	}
	again := append(isolate, os.Args[0], "-test.run=^TestPartitions$", "-test.v", fmt.Sprint("-rounds=", *rounds))
	cmd := exec.Command(again[0], again[1:]...)
	cmd.Env = append(os.Environ(), inHub+"=1", builtBinary+"="+path)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// inHub in the environment tells the test's own binary that it is in a network of its own.
const inHub = "FLEET_TEST_HUB"

// cutFor is how long a host is away: longer than a call, so that nothing is answered meanwhile.
const cutFor = 3 * callTimeout

// natsHost is the number of the NATS server's host; those of the modules follow.
const natsHost = 2

func partitions(t *testing.T) {
	ip(t, "mount -t tmpfs none /run")
	ip(t, "ip link set lo up", "ip link add hub type bridge", "ip addr add 10.231.77.1/24 dev hub", "ip link set hub up")
	hosts := append([]string{nats}, modules()...)
	for i, name := range hosts {
		addHost(t, name, natsHost+i)
	}
	config := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(config, []byte(`authorization { user: shop, password: closed }`), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprint("10.231.77.", natsHost, ":4222")
	s := &stage{nats: startNATS(t, addr, config, within(nats)...), rare: map[string]int{}}
	five, err := Named("five-processes")
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	s.open(t, Options{Deployment: five, NATS: "nats://shop:closed@" + addr, Within: func(process string) []string {
		if process == "edge" {
			return nil
		}
		return within(process)
	}}, data)
	stop := s.crowd.stream(8)
	defer stop()
	for range *rounds {
		for i, name := range hosts {
			at := (i + len(s.fleet.Processes)) % (len(s.fleet.Processes) + 1) // the NATS server comes after the processes
			if i > 0 {
				at = i
			}
			s.suffer(t, fault{"cut", func(t *testing.T, _ *stage, _ int, repair func()) {
				bridge(t, name, disabled)
				time.Sleep(cutFor / 3) // for what was under way
				before := s.crowd.completions()
				time.Sleep(cutFor - cutFor/3)
				if after := s.crowd.completions(); after != before && name != "webhooks" {
					t.Errorf("%d orders were completed while %s was cut off: the cut is none", after-before, name)
				}
				repair()
				bridge(t, name, forwarding)
			}}, at)
		}
	}
	if delayed(t, hosts) {
		s.suffer(t, faults()[0], 1)
	}
	s.lose(t, 1)
	stop()
	s.close(t, data)
}

// movedWithin bounds how long the shop may suffer from a host that is gone for good, once its module runs elsewhere: until the NATS server takes
// the connection of the lost one for dead, it sends it half of the calls.
const movedWithin = 20 * time.Second

// lose lets a host lose its power, and starts its module on the one of the bridge. Nobody is told that the old connection has ended.
func (s *stage) lose(t *testing.T, i int) {
	t.Helper()
	bridge(t, s.process(i).Name, disabled)
	s.process(i).Kill()
	s.fleet.options.Within = nil
	s.restart(t, i)
	began, inRow := time.Now(), 0
	for inRow < 30 && time.Since(began) < 2*time.Minute {
		var item struct{}
		if _, err := s.crowd.shop.Load().Do(t.Context(), http.MethodGet, "/v1/items/MUG-1", nil, &item); err != nil {
			inRow = 0
		} else {
			inRow++
		}
	}
	took := time.Since(began)
	t.Logf("lost     %-10s every call is answered again %5d ms after it was started elsewhere", s.process(i).Name, took.Milliseconds())
	if took > movedWithin {
		t.Errorf("%v is more than %v", took, movedWithin)
	}
}

// ip runs commands, and wants success.
func ip(t testing.TB, commands ...string) {
	t.Helper()
	for _, c := range commands {
		words := strings.Fields(c)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", c, err, out)
		}
	}
}

// addHost makes a network namespace, with a cable to the bridge.
func addHost(t testing.TB, name string, number int) {
	t.Helper()
	ip(t,
		"ip netns add "+name,
		fmt.Sprintf("ip link add %s type veth peer name eth0 netns %s", name, name),
		fmt.Sprintf("ip link set %s master hub up", name),
		fmt.Sprintf("ip -n %s addr add 10.231.77.%d/24 dev eth0", name, number),
		fmt.Sprintf("ip -n %s link set lo up", name),
		fmt.Sprintf("ip -n %s link set eth0 up", name),
	)
}

// within is how a command is run on a host.
func within(host string) []string { return []string{"ip", "netns", "exec", host} }

// States of a port of a bridge. One that is disabled drops what comes and goes, and nobody is told.
const (
	disabled   = 0
	forwarding = 3
)

func bridge(t testing.TB, host string, state int) {
	t.Helper()
	ip(t, fmt.Sprintf("bridge link set dev %s state %d", host, state))
}

// delayed makes every way longer, if the kernel can.
func delayed(t testing.TB, hosts []string) bool {
	for _, name := range hosts {
		words := strings.Fields("tc qdisc add dev " + name + " root netem delay 20ms 5ms")
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Logf("without added delay: %v: %s", err, out)
			return false
		}
	}
	return true
}
