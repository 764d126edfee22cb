package fleet

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var rounds = flag.Int("rounds", 1, "how often each fault happens to each process")

// What the processes of these tests are told to wait for. No HTTP request may take longer than requestTimeout, but for the margin that a busy
// machine needs, and for as long as its own server was stopped.
const (
	callTimeout    = time.Second
	requestTimeout = 4 * time.Second
	margin         = 2 * time.Second
	outage         = 300 * time.Millisecond // of a process that is dead
	standstill     = 3 * callTimeout / 2    // of one that is paused
	recovery       = 30 * time.Second       // within which orders must flow again
)

func impatient(data string) []string {
	return []string{
		"--demo", "--data=" + data, "--call-timeout=" + callTimeout.String(), "--request-timeout=" + requestTimeout.String(),
		"--provider-timeout=500ms", "--order-patience=1s", "--retry-max=1s", "--lookup-min=50ms", "--lookup-max=500ms",
	}
}

// stage is the five processes, the HTTP edge, a NATS server of their own, and customers.
type stage struct {
	fleet *Fleet
	nats  *Process
	crowd *crowd
	rare  map[string]int
}

func set(t *testing.T, data string) *stage {
	t.Helper()
	s := &stage{nats: startNATS(t, "127.0.0.1:0", ""), rare: map[string]int{}}
	five, err := Named("five-processes")
	if err != nil {
		t.Fatal(err)
	}
	s.open(t, Options{Deployment: five, NATS: s.nats.stdout.find(listening)}, data)
	return s
}

func (s *stage) open(t *testing.T, o Options, data string) {
	t.Helper()
	o.Program, o.Dir, o.Flags, o.Env = program, t.TempDir(), impatient(data), []string{"CUTPOINT_DEMO_KEY=" + secret}
	f, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Kill)
	s.fleet, s.crowd = f, newCrowd(f.URL())
}

// process is the one at an index, or the NATS server after the last.
func (s *stage) process(i int) *Process {
	if i == len(s.fleet.Processes) {
		return s.nats
	}
	return s.fleet.Processes[i]
}

// restart starts a process again that has ended.
func (s *stage) restart(t *testing.T, i int) {
	t.Helper()
	if i == len(s.fleet.Processes) {
		s.nats = startNATS(t, addressOf(s.nats), "")
		return
	}
	if err := s.fleet.Restart(i); err != nil {
		t.Fatal(err)
	}
	s.crowd.find(s.fleet.URL())
}

// fault is something that happens to a process. It returns when that is over: repair is called when its end begins.
type fault struct {
	name    string
	inflict func(t *testing.T, s *stage, i int, repair func())
}

func faults() []fault {
	return []fault{
		{"kill", func(t *testing.T, s *stage, i int, repair func()) {
			s.process(i).Kill()
			time.Sleep(outage)
			repair()
			s.restart(t, i)
		}},
		{"pause", func(t *testing.T, s *stage, i int, repair func()) {
			if err := s.process(i).Pause(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(standstill)
			repair()
			if err := s.process(i).Resume(); err != nil {
				t.Fatal(err)
			}
		}},
		{"restart", func(t *testing.T, s *stage, i int, repair func()) {
			if err := s.process(i).Stop(recovery); err != nil {
				t.Error(err)
			}
			repair()
			s.restart(t, i)
		}},
	}
}

// TestFaults kills, pauses and restarts one process after the other, and the NATS server, while customers order: no acknowledged order is
// lost, no request takes longer than its deadline, and orders flow again.
func TestFaults(t *testing.T) {
	data := t.TempDir()
	s := set(t, data)
	stop := s.crowd.stream(8)
	defer stop()
	for range *rounds {
		for i := range len(s.fleet.Processes) + 1 {
			for _, f := range faults() {
				s.suffer(t, f, i)
			}
		}
	}
	stop()
	s.close(t, data)
}

// suffer lets a process have a fault in the middle of a rush for something rare.
func (s *stage) suffer(t *testing.T, f fault, i int) {
	name := s.process(i).Name
	sku := fmt.Sprint("RARE-", len(s.rare))
	s.rare[sku] = 20
	s.crowd.stock(t, sku, 20)
	s.crowd.longest()
	wait := s.crowd.rush(60, sku)
	began := time.Now()
	var resumed <-chan time.Time
	var repaired time.Time
	f.inflict(t, s, i, func() { repaired, resumed = time.Now(), s.crowd.resumes() })
	var after time.Duration
	select {
	case at := <-resumed:
		after = at.Sub(repaired)
	case <-time.After(recovery):
		t.Fatalf("%s %s: no order is complete %v after\n%s", f.name, name, recovery, s.fleet.Said())
	}
	wait()
	bound, worst := requestTimeout+margin, s.crowd.longest()
	if i == 0 && f.name == "pause" {
		bound += standstill
	}
	t.Logf("%-8s %-10s orders resume %5d ms after the repair began, worst request %5d ms, all 60 told after %5d ms", f.name, name, after.Milliseconds(), worst.Milliseconds(), time.Since(began).Milliseconds())
	if worst > bound {
		t.Errorf("%s %s: a request took %v, which is more than %v", f.name, name, worst, bound)
	}
}

// close looks at the books, ends every process, and audits what they leave.
func (s *stage) close(t *testing.T, data string) {
	t.Helper()
	s.crowd.check(t, s.rare)
	t.Logf("%d orders acknowledged in %d requests", len(s.crowd.told), s.crowd.requests)
	if err := s.fleet.Stop(); err != nil {
		t.Error(err)
	}
	if err := s.nats.Stop(recovery); err != nil {
		t.Error(err)
	}
	audit(t, data)
	if t.Failed() {
		t.Log(s.fleet.Said())
	}
}
