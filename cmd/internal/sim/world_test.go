package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/channel"
)

// world is a shop and what happens to it.
type world struct {
	t    *testing.T
	dice *rand.Rand // what people do, and when
	dir  string
	shop *shop.Shop
	shop.Contracts
	lives uint64          // how often the shop was opened
	life  context.Context // ends with the process

	mu      sync.Mutex // of what follows, which the shop's own goroutines reach
	faults  *rand.Rand
	calm    bool   // no more faults
	opening bool   // the process is being born
	kill    func() // ends its life
	died    time.Time
	fuse    int     // points until it dies
	disk    float64 // how often a commit fails
	history []string
	tell    bool // print it

	model
}

// clock is how an instant is written in a history.
const clock = "15:04:05.000000000"

const reconcileEvery = 4*time.Minute + 11*time.Microsecond

var (
	errDead = errors.New("the process is dead")
	errDisk = errors.New("the disk is full")
)

func newWorld(t *testing.T, seed uint64, tell bool) *world {
	w := &world{
		t: t, dice: rand.New(rand.NewPCG(seed, 1)), faults: rand.New(rand.NewPCG(seed, 2)), dir: t.TempDir(), tell: tell,
		model: newModel(),
	}
	copyFiles(t, template(t), w.dir)
	w.open()
	w.disk = 0.05 * w.faults.Float64()
	return w
}

// open starts the shop on what is on its disk.
//
// What its modules do first they do at the same instant, in whatever order: nothing fails meanwhile, or a seed would be several
// histories. The crash matrix dies there.
func (w *world) open() {
	w.t.Helper()
	w.begin()
	defer w.born()
	luck := rand.New(rand.NewPCG(w.dice.Uint64(), w.lives))
	instant := luck.Uint64()
	s, err := shop.Open(w.t.Context(), shop.Config{
		Options: host.Options{
			Data: w.dir, Version: "sim", Log: slog.New(slog.DiscardHandler), Workers: 4, CallTimeout: 2 * time.Second,
			Random: newEntropy(luck), Layer: func(l channel.Layer) channel.Layer { return newWire(l, luck, w) },
			Dice: func() float64 { return rand.New(rand.NewPCG(instant, uint64(time.Now().UnixNano()))).Float64() },
		},
		OrderPatience: 3 * time.Second, Fail: w.pass,
		// Everything that runs by itself has a period of its own, so that no two things happen at the same instant.
		Checkout: shop.CheckoutPolicy{
			SweepEvery: 5*time.Second + 3*time.Microsecond, SweepBatch: 1, ActionLimit: 10 * time.Minute, UnknownLimit: 10 * time.Minute,
			LookupMax: 30 * time.Second, BackoffMax: 20 * time.Second,
		},
		Payments:    shop.PaymentsPolicy{ProviderTimeout: 1500*time.Millisecond + 7*time.Microsecond, ReconcileEvery: reconcileEvery, Idle: 10*time.Second + 17*time.Microsecond},
		Webhooks:    shop.WebhooksPolicy{CollectEvery: time.Hour, DispatchEvery: time.Hour + time.Microsecond, CleanEvery: 24 * time.Hour},
		ExpireHolds: time.Hour + 13*time.Microsecond,
	})
	if err != nil {
		w.t.Fatalf("open the shop: %v", err)
	}
	w.shop, w.Contracts = s, s.Contracts()
	synctest.Wait() // until what it does first by itself is done: nobody comes at the same instant
}

func (w *world) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lives++
	w.life, w.kill = context.WithCancel(w.t.Context())
	w.opening = true
}

// born begins the time in which a process may die, at a point that is set now.
func (w *world) born() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opening = false
	w.fuse = w.faults.IntN(150)
}

// weather tells a wire whether the process is dead, and whether there are faults.
func (w *world) weather() (dead, calm bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.life.Err() != nil, w.calm
}

// alike reports that two messages were sent at one instant that could not be told apart. What the dead do is no history.
func (w *world) alike(what string) {
	if dead, _ := w.weather(); !dead {
		w.t.Errorf("at %v two messages are alike: %s", time.Now().Format(clock), what)
	}
}

// entropy is a source of random bytes that several may read at once.
type entropy struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

func newEntropy(luck *rand.Rand) *entropy {
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(luck.Uint32())
	}
	return &entropy{source: rand.NewChaCha8(seed)}
}

func (e *entropy) Read(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.source.Read(b)
}

// pass is called at every point around a commit or a request to the provider.
func (w *world) pass(point string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.life.Err() != nil:
		return errDead // and what it does is no history
	case w.opening:
		return nil
	}
	w.note("%s", point)
	if w.calm {
		return nil
	}
	if w.fuse--; w.fuse == 0 {
		w.note("the process dies")
		w.died = time.Now()
		w.kill()
		return errDead
	}
	if strings.HasSuffix(point, ".commit.before") && w.faults.Float64() < w.disk {
		w.note("the disk is full")
		return errDisk
	}
	return nil
}

// note adds a line to the history; the caller holds the lock.
func (w *world) note(format string, args ...any) {
	line := time.Now().Format(clock) + " " + fmt.Sprintf(format, args...)
	w.history = append(w.history, line)
	if w.tell {
		fmt.Println(line)
	}
}

func (w *world) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(format, args...)
}

// downtime is how long a process that died is away at least. What it does meanwhile takes less, in whatever order it is done.
const downtime = time.Second

// revive opens the shop again if it has died, after a while.
func (w *world) revive() {
	w.t.Helper()
	if !w.lost() {
		return
	}
	synctest.Wait() // until everybody is where the death met him
	w.close(w.life)
	again := w.died.Add(downtime + w.while(time.Minute))
	if !time.Now().Before(w.died.Add(downtime)) {
		w.t.Fatalf("a dead process took %v to go", time.Since(w.died))
	}
	time.Sleep(time.Until(again))
	w.say("the shop is opened again")
	w.open()
}

// lost reports whether the process has died.
func (w *world) lost() bool { return w.life.Err() != nil }

// close closes the shop, which has until ctx is done for its last words.
func (w *world) close(ctx context.Context) {
	_ = w.shop.Close(ctx)
}

// sleep lets people do nothing for a while, and reports false at once if the process dies meanwhile, or has died.
func (w *world) sleep(d time.Duration) bool {
	alarm := time.NewTimer(d)
	defer alarm.Stop()
	select {
	case <-alarm.C:
	case <-w.life.Done():
	}
	return !w.lost()
}

// breathe lets a moment pass in which the shop runs: never do people do two things at one instant.
func (w *world) breathe() {
	w.t.Helper()
	for w.revive(); !w.sleep(w.while(time.Second)); w.revive() {
	}
}

// soothe ends all faults.
func (w *world) soothe() {
	w.revive()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("all is calm")
	w.calm = true
}

// while is a time up to a limit, to the nanosecond, so that no two are alike.
func (w *world) while(limit time.Duration) time.Duration {
	return time.Duration(w.dice.Int64N(int64(limit))) + 1
}

// template returns a directory with the datastores of a shop whose shelves are full, made once: to migrate and fill them for every
// seed would cost more than the simulation.
func template(t *testing.T) string {
	t.Helper()
	making.Do(func() {
		var err error
		if made, err = os.MkdirTemp("", "cutpoint-sim-"); err == nil {
			err = fill(context.Background(), made)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	return made
}

var (
	making sync.Once
	made   string
)

// fill makes the datastores of a shop and puts goods on its shelves. Nothing in them is older than the time in a bubble.
func fill(ctx context.Context, dir string) error {
	if err := shop.Migrate(ctx, host.Options{Data: dir}); err != nil {
		return err
	}
	c, closeShop, err := shop.OpenContracts(ctx, shop.Config{Options: host.Options{Data: dir, Version: "sim", Log: slog.New(slog.DiscardHandler)}})
	if err != nil {
		return err
	}
	return errors.Join(stockUp(ctx, c), closeShop(ctx))
}

func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, "*.db"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no datastores in the template (%v)", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(file)), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
