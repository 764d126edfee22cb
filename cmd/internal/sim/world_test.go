package sim

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
	lives uint64 // how often the shop was opened

	mu      sync.Mutex // of what follows, which the shop's own goroutines reach
	faults  *rand.Rand
	calm    bool    // no more faults
	dead    bool    // the process has died
	opening bool    // it is being born
	fuse    int     // points until it dies
	disk    float64 // how often a commit fails
	trace   hash.Hash64
	tell    bool // write the history down

	model
}

const reconcileEvery = 4*time.Minute + 11*time.Microsecond

var (
	errDead = errors.New("the process is dead")
	errDisk = errors.New("the disk is full")
)

func newWorld(t *testing.T, seed uint64, tell bool) *world {
	w := &world{
		t: t, dice: rand.New(rand.NewPCG(seed, 1)), faults: rand.New(rand.NewPCG(seed, 2)), dir: t.TempDir(), trace: fnv.New64a(), tell: tell,
		model: newModel(),
	}
	copyFiles(t, template(t), w.dir)
	w.calm = true // it opens for the first time
	if err := w.open(); err != nil {
		t.Fatalf("open the shop: %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.disk = 0.05 * w.faults.Float64()
	w.light()
	w.calm = false
	return w
}

// light sets the point at which this life ends, if it does.
func (w *world) light() { w.fuse = w.faults.IntN(150) }

// open starts the shop on what is on its disk.
//
// What its modules do first they do at the same instant, in whatever order: nothing fails meanwhile, or a seed would be several
// histories. The crash matrix dies there.
func (w *world) open() error {
	w.setOpening(true)
	defer w.setOpening(false)
	w.lives++
	life := rand.New(rand.NewPCG(w.dice.Uint64(), w.lives))
	luck := life.Uint64()
	s, err := shop.Open(w.t.Context(), shop.Config{
		Data: w.dir, Version: "sim", Log: slog.New(slog.DiscardHandler), Workers: 4, CallTimeout: 2 * time.Second, OrderPatience: 3 * time.Second,
		Random: newEntropy(life), Fail: w.pass,
		Dice: func() float64 { return rand.New(rand.NewPCG(luck, uint64(time.Now().UnixNano()))).Float64() },
		// Everything that runs by itself has a period of its own, so that no two things happen at the same instant.
		Checkout: shop.CheckoutPolicy{
			SweepEvery: 5*time.Second + 3*time.Microsecond, SweepBatch: 1, ActionLimit: 10 * time.Minute, UnknownLimit: 10 * time.Minute,
			LookupMax: 30 * time.Second, BackoffMax: 20 * time.Second,
		},
		Payments:    shop.PaymentsPolicy{ProviderTimeout: 1500*time.Millisecond + 7*time.Microsecond, ReconcileEvery: reconcileEvery, Idle: 10*time.Second + 17*time.Microsecond},
		Webhooks:    shop.WebhooksPolicy{CollectEvery: time.Hour, DispatchEvery: time.Hour + time.Microsecond, CleanEvery: 24 * time.Hour},
		ExpireHolds: time.Hour + 13*time.Microsecond,
		Layer:       func(l channel.Layer) channel.Layer { return newWire(l, life, w.isCalm) },
	})
	if err != nil {
		return err
	}
	w.shop, w.Contracts = s, s.Contracts()
	synctest.Wait() // until what it does first by itself is done: nobody comes at the same instant
	return nil
}

func (w *world) setOpening(is bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opening = is
}

func (w *world) isCalm() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calm
}

// entropy is a source of random bytes that several may read at once.
type entropy struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

func newEntropy(life *rand.Rand) *entropy {
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(life.Uint32())
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
	if w.opening {
		return nil
	}
	w.note("%s", point)
	switch {
	case w.dead:
		return errDead
	case w.calm:
		return nil
	}
	if w.fuse--; w.fuse == 0 {
		w.note("the process dies")
		w.dead = true
		return errDead
	}
	if strings.HasSuffix(point, ".commit.before") && w.faults.Float64() < w.disk {
		w.note("the disk is full")
		return errDisk
	}
	return nil
}

// note adds a line to the history, whose digest tells whether two runs of a seed were one; the caller holds the lock.
func (w *world) note(format string, args ...any) {
	line := time.Now().Format("15:04:05.000000 ") + fmt.Sprintf(format, args...)
	_, _ = w.trace.Write([]byte(line))
	if w.tell {
		fmt.Println(line)
	}
}

func (w *world) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(format, args...)
}

// revive opens the shop again if it has died, after a while. It may die, or find its disk full, while it opens.
func (w *world) revive() {
	w.t.Helper()
	if !w.lost() {
		return
	}
	w.close()
	for {
		time.Sleep(w.while(time.Minute))
		w.mu.Lock()
		w.dead = false
		w.light()
		w.mu.Unlock()
		w.say("the shop is opened again")
		err := w.open()
		if err == nil {
			return
		}
		w.say("  %v", err)
		if !errors.Is(err, errDead) && !errors.Is(err, errDisk) {
			w.t.Fatalf("open the shop: %v", err)
		}
	}
}

func (w *world) close() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = w.shop.Close(ctx) // a dead process has no last words
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
	if err := shop.Migrate(ctx, dir); err != nil {
		return err
	}
	c, closeShop, err := shop.OpenContracts(ctx, shop.Config{Data: dir, Version: "sim", Log: slog.New(slog.DiscardHandler)})
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
