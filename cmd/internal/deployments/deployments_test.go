package deployments

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cutpoint/cmd/internal/catalogue"
	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/load"
	"cutpoint/cmd/internal/shop"
)

// deployment is a shop that runs.
type deployment struct {
	name      string
	edges     []*client.Client
	processes []*process
	database  *cluster    // nil: files
	orders    map[int]int // of a turn, by the number of customers
}

// stage is where deployments are made.
type stage struct {
	binary, dir string
	postgres    *cluster // nil where there is none
}

func newStage(b *testing.B) *stage {
	b.Helper()
	// Beside the test, since a temporary directory may be kept in memory.
	dir, err := os.MkdirTemp(".", "cutpoint-run-")
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &stage{binary: build(b), dir: dir}
	data := filepath.Join(dir, "postgres")
	if err := os.Mkdir(data, 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil { // the server may be another user
		b.Fatal(err)
	}
	s.postgres = newCluster(b, data)
	return s
}

// all makes every deployment that there is. The first is what the others are compared with.
func (s *stage) all(b *testing.B) (all []*deployment) {
	b.Helper()
	const files, database = false, true
	all = append(all,
		s.deploy(b, "one process", files, whole),
		s.deploy(b, "two: payments apart", files, paymentsApart),
		s.deploy(b, "five and the edge", files, apart(1)),
	)
	if s.postgres == nil {
		return all
	}
	return append(all,
		s.deploy(b, "one process, PostgreSQL", database, whole),
		s.deploy(b, "two of it, PostgreSQL", database, twice),
		s.deploy(b, "five and the edge, PostgreSQL", database, apart(1)),
		s.deploy(b, "two of each of the five, two edges, PostgreSQL", database, apart(2)),
	)
}

// plan starts the processes of a deployment. Run takes the flags that make one different from the next.
type plan func(run func(flags ...string) *process)

func whole(run func(...string) *process) { run() }

func twice(run func(...string) *process) { run(); run() }

func paymentsApart(run func(...string) *process) {
	rest := run("--modules", "inventory,pricing,orders,webhooks", "--nats-listen", "127.0.0.1:0")
	run("--modules", "payments", "--http=false", "--channel", rest.nats)
}

// apart is a process for each module and one for HTTP, n times. The first edge runs the NATS server too.
func apart(n int) plan {
	return func(run func(...string) *process) {
		first := run("--modules", "none", "--nats-listen", "127.0.0.1:0")
		for i := range n {
			if i > 0 {
				run("--modules", "none", "--channel", first.nats)
			}
			for _, module := range shop.Modules() {
				run("--modules", module, "--http=false", "--channel", first.nats)
			}
		}
	}
}

// deploy starts a deployment on datastores of its own and fills in the catalogue.
func (s *stage) deploy(b *testing.B, name string, onDatabase bool, plan plan) *deployment {
	b.Helper()
	d := &deployment{name: name, orders: map[int]int{}}
	data := filepath.Join(s.dir, strings.NewReplacer(" ", "-", ":", "", ",", "").Replace(name))
	where := []string{"--data", data}
	if onDatabase {
		d.database = s.postgres
		where = append(where, "--db", s.postgres.database(b, filepath.Base(data)))
	}
	plan(func(flags ...string) *process {
		args := append([]string{"serve", "--addr", "127.0.0.1:0", "--payment-provider", "test-gateway", "--log-level", "warn"}, where...)
		p := start(b, s.binary, append(args, flags...)...)
		d.processes = append(d.processes, p)
		return p
	})
	key, err := exec.Command(s.binary, append([]string{"keys", "add", "bench", "--scopes", "all"}, where...)...).Output()
	if err != nil {
		b.Fatalf("make a key for %s: %v", name, err)
	}
	for _, p := range d.processes {
		if p.http != "" {
			d.edges = append(d.edges, client.New(p.http, strings.TrimSpace(string(key)), most))
		}
	}
	if err := catalogue.Seed(b.Context(), d.edges[0]); err != nil {
		b.Fatalf("seed %s: %v", name, err)
	}
	return d
}

// turn is what a deployment did in one.
type turn struct {
	load.Result
	processor time.Duration // of an order, of all its processes, those of the database too
}

// warmUp lets customers order a little, which also tells how many orders make a turn.
func (d *deployment) warmUp(b *testing.B, customers int, during time.Duration) {
	b.Helper()
	d.pace(customers, during, d.buy(b, customers, 20+4*customers))
}

// pace decides how many orders make a turn of about that long, by how the last went. A turn ends with the last of its orders, so that
// nothing of it is left to the next one.
func (d *deployment) pace(customers int, during time.Duration, last load.Result) {
	d.orders[customers] = max(customers, int(last.PerSecond*during.Seconds()))
}

// take is a turn.
func (d *deployment) take(b *testing.B, customers int, during time.Duration) turn {
	b.Helper()
	before := d.processorTime(b)
	t := turn{Result: d.buy(b, customers, d.orders[customers])}
	t.processor = (d.processorTime(b) - before) / time.Duration(t.Orders)
	d.pace(customers, during, t.Result)
	return t
}

func (d *deployment) buy(b *testing.B, customers, orders int) load.Result {
	b.Helper()
	r := load.Run{
		Shop: d.edges[0], Others: d.edges[1:], SKUs: []string{"MUG-1", "SHIRT-1", "POSTER-1", "BOOK-1", "BAG-1", "CAP-1"},
		Currency: "EUR", Token: "pm_card_visa", Concurrency: customers, Orders: orders, KeyPrefix: fmt.Sprint(time.Now().UnixNano()),
	}.Do(b.Context())
	if r.Failed() > 0 {
		b.Fatalf("%s, %d customers: %v", d.name, customers, r.Errors)
	}
	return r
}

func (d *deployment) pids(b *testing.B) (pids []int) {
	b.Helper()
	if d.database != nil {
		var err error
		if pids, err = d.database.processes(); err != nil {
			b.Fatal(err)
		}
	}
	for _, p := range d.processes {
		pids = append(pids, p.cmd.Process.Pid)
	}
	return pids
}

func (d *deployment) processorTime(b *testing.B) (sum time.Duration) {
	b.Helper()
	for _, pid := range d.pids(b) {
		used, err := processorTime(pid)
		if err != nil && !os.IsNotExist(err) { // one of the database, which has just ended
			b.Fatal(err)
		}
		sum += used
	}
	return sum
}

// peakMemory is that of our processes: what those of a database share would be counted many times.
func (d *deployment) peakMemory(b *testing.B) (sum int64) {
	b.Helper()
	for _, p := range d.processes {
		peak, err := peakMemory(p.cmd.Process.Pid)
		if err != nil {
			b.Fatal(err)
		}
		sum += peak
	}
	return sum
}
