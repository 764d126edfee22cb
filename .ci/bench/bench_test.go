// Package bench measures a call between modules and, in the same run, what else could carry it. The budget is a ratio: a flat
// call costs at most twice the pooled Go channel call, without allocations, with one caller and with 64.
//
//	make bench-calls
package bench

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"cutpoint/platform/channel"
	"cutpoint/platform/rpc"
)

type flat struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

type line struct {
	SKU      string  `json:"sku"`
	Quantity int64   `json:"quantity"`
	Note     *string `json:"note"`
}

type nested struct {
	OrderID string            `json:"order_id"`
	Lines   []line            `json:"lines"`
	Labels  map[string]string `json:"labels"`
}

var (
	opFlat   = rpc.Define[flat, flat]("bench", "flat")
	opNested = rpc.Define[nested, nested]("bench", "nested")
	mug      = flat{"MUG-1", 2}
)

// callers has do called by one goroutine, and by 64 at once.
func callers(b *testing.B, do func() error) {
	b.Run("callers=1", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := do(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("callers=64", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// BenchmarkFloor is two unbuffered channels and two goroutines: no queued call can cost less.
func BenchmarkFloor(b *testing.B) {
	ask, tell := make(chan flat), make(chan flat)
	go func() {
		for f := range ask {
			tell <- f
		}
	}()
	defer close(ask)
	b.Run("callers=1", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ask <- mug
			<-tell
		}
	})
}

// pooled is a call by hand, for one type: used again, with a channel of its own for the answer.
type pooled struct {
	req, resp flat
	ready     chan struct{}
}

var errFull = errors.New("full")

// BenchmarkGoChannel has what a careful programmer would write for one type: pooled calls, a bounded queue that refuses when it is
// full, a fixed number of workers, and a caller who heeds a context.
func BenchmarkGoChannel(b *testing.B) {
	queue := make(chan *pooled, channel.DefaultCapacity)
	var workers sync.WaitGroup
	for range rpc.DefaultWorkers {
		workers.Go(func() {
			for c := range queue {
				c.resp = c.req
				c.ready <- struct{}{}
			}
		})
	}
	defer workers.Wait()
	defer close(queue)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	pool := sync.Pool{New: func() any { return &pooled{ready: make(chan struct{}, 1)} }}
	callers(b, func() error {
		c := pool.Get().(*pooled)
		c.req = mug
		select {
		case queue <- c:
		default:
			return errFull
		}
		select {
		case <-c.ready:
			pool.Put(c)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// serve starts a module that gives back what it gets.
func serve(b *testing.B, o channel.Options) (context.Context, *rpc.Caller) {
	l := channel.NewMemory(o)
	s := rpc.NewServer(l, "bench", rpc.ServerOptions{})
	rpc.Handle(s, opFlat, func(_ context.Context, r flat) (flat, error) { return r, nil })
	rpc.Handle(s, opNested, func(_ context.Context, r nested) (nested, error) { return r, nil })
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(func() {
		cancel()
		if err := s.Stop(context.Background()); err != nil {
			b.Error(err)
		}
		l.Close()
	})
	return ctx, rpc.NewCaller(l, "edge", rpc.CallerOptions{})
}

func BenchmarkCutpointFlat(b *testing.B) {
	ctx, c := serve(b, channel.Options{})
	callers(b, func() error {
		_, err := opFlat.Call(ctx, c, mug)
		return err
	})
}

func BenchmarkCutpointNested(b *testing.B) {
	ctx, c := serve(b, channel.Options{})
	note := "gift"
	r := nested{"ord_1", []line{{"MUG-1", 2, &note}, {"SHIRT-1", 1, nil}}, map[string]string{"cart": "c1"}}
	callers(b, func() error {
		_, err := opNested.Call(ctx, c, r)
		return err
	})
}

// BenchmarkCutpointEncoded sends JSON, as Watermill's messages hold it.
func BenchmarkCutpointEncoded(b *testing.B) {
	ctx, c := serve(b, channel.Options{Strict: true})
	callers(b, func() error {
		_, err := opFlat.Call(ctx, c, mug)
		return err
	})
}

// BenchmarkWatermill asks and answers over two topics of Watermill's in-process pub/sub, with a map from the message's id to who
// waits. Watermill has no call of its own on this transport; this is the least that makes one, with JSON bodies, since its
// messages hold bytes, and with nothing for deadlines, capacity or errors.
func BenchmarkWatermill(b *testing.B) {
	bus := gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: channel.DefaultCapacity}, watermill.NopLogger{})
	asked, err := bus.Subscribe(b.Context(), "bench.request")
	if err != nil {
		b.Fatal(err)
	}
	answered, err := bus.Subscribe(b.Context(), "bench.answer")
	if err != nil {
		b.Fatal(err)
	}
	var handlers sync.WaitGroup
	for range rpc.DefaultWorkers {
		handlers.Go(func() {
			for m := range asked {
				var f flat
				if json.Unmarshal(m.Payload, &f) != nil {
					b.Error("not a request")
				}
				body, _ := json.Marshal(f) // of strings and numbers: never fails
				_ = bus.Publish("bench.answer", message.NewMessage(m.UUID, body))
				m.Ack()
			}
		})
	}
	var waiting sync.Map // of chan *message.Message by id
	handlers.Go(func() {
		for m := range answered {
			if ready, ok := waiting.LoadAndDelete(m.UUID); ok {
				ready.(chan *message.Message) <- m
			}
			m.Ack()
		}
	})
	b.Cleanup(func() {
		_ = bus.Close()
		handlers.Wait()
	})
	var number atomic.Uint64 // as cheap as our ids; watermill.NewUUID would add a microsecond
	callers(b, func() error {
		body, err := json.Marshal(mug)
		if err != nil {
			return err
		}
		id := strconv.FormatUint(number.Add(1), 10)
		ready := make(chan *message.Message, 1)
		waiting.Store(id, ready)
		if err := bus.Publish("bench.request", message.NewMessage(id, body)); err != nil {
			return err
		}
		var f flat
		return json.Unmarshal((<-ready).Payload, &f)
	})
}
