package rpc_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"cutpoint/platform/channel"
	"cutpoint/platform/rpc"
)

// The budget (docs: the channel layer, "Cost"): a flat call costs at most twice the pooled Go channel call beside it in the
// same run, without allocations, with one caller and with 64.
//
//	go test -run '^$' -bench . ./platform/rpc

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
	benchFlat   = rpc.Define[flat, flat]("bench", "flat")
	benchNested = rpc.Define[nested, nested]("bench", "nested")
)

// callers runs do by 1 and by 64 goroutines at once.
func callers(b *testing.B, do func() error) {
	for _, n := range []int{1, 64} {
		b.Run(map[int]string{1: "callers=1", 64: "callers=64"}[n], func(b *testing.B) {
			b.ReportAllocs()
			if n == 1 {
				for b.Loop() {
					if err := do(); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			b.SetParallelism(max(1, n/runtime.GOMAXPROCS(0)))
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
}

// BenchmarkFloor is the least that any queued call can cost: two unbuffered channels and two goroutines.
func BenchmarkFloor(b *testing.B) {
	ask, tell := make(chan flat), make(chan flat)
	go func() {
		for f := range ask {
			tell <- f
		}
	}()
	defer close(ask)
	b.ReportAllocs()
	for b.Loop() {
		ask <- flat{"MUG-1", 2}
		<-tell
	}
}

// pooled is what one would write by hand for one type: a pooled call with its own answer channel, a bounded queue that
// refuses when it is full, a fixed pool of workers, and a caller who heeds its context.
type pooled struct {
	req   flat
	resp  flat
	ready chan struct{}
}

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
		c.req = flat{"MUG-1", 2}
		select {
		case queue <- c:
		default:
			return channel.ErrFull
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

func benchServer(b *testing.B, o channel.Options) (context.Context, *rpc.Caller) {
	l := channel.NewMemory(o)
	s := rpc.NewServer(l, "bench", rpc.ServerOptions{})
	rpc.Handle(s, benchFlat, func(_ context.Context, r flat) (flat, error) { return r, nil })
	rpc.Handle(s, benchNested, func(_ context.Context, r nested) (nested, error) { return r, nil })
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

func BenchmarkFlat(b *testing.B) {
	ctx, c := benchServer(b, channel.Options{})
	callers(b, func() error {
		_, err := benchFlat.Call(ctx, c, flat{"MUG-1", 2})
		return err
	})
}

func BenchmarkNested(b *testing.B) {
	ctx, c := benchServer(b, channel.Options{})
	note := "gift"
	r := nested{"ord_1", []line{{"MUG-1", 2, &note}, {"SHIRT-1", 1, nil}}, map[string]string{"cart": "c1"}}
	callers(b, func() error {
		_, err := benchNested.Call(ctx, c, r)
		return err
	})
}

func BenchmarkStrict(b *testing.B) {
	ctx, c := benchServer(b, channel.Options{Strict: true})
	callers(b, func() error {
		_, err := benchFlat.Call(ctx, c, flat{"MUG-1", 2})
		return err
	})
}

// BenchmarkRefused is a call that meets a full channel: it must cost next to nothing, since it comes when there is no time.
func BenchmarkRefused(b *testing.B) {
	l := channel.NewMemory(channel.Options{})
	defer l.Close()
	if _, err := l.Listen("bench.request"); err != nil {
		b.Fatal(err)
	}
	for l.Send("bench.request", channel.Message{}) == nil {
	}
	c := rpc.NewCaller(l, "edge", rpc.CallerOptions{})
	b.Run("send", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = l.Send("bench.request", channel.Message{})
		}
	})
	b.Run("call", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = benchFlat.Call(context.Background(), c, flat{"MUG-1", 2})
		}
	})
}
