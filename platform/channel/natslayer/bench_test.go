package natslayer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"cutpoint/platform/channel"
	"cutpoint/platform/channel/natslayer"
	"cutpoint/platform/rpc"
)

// side is one way to ask the same question.
type side struct {
	name string
	call func() error
}

// turnTime is how long each side has in a round.
const turnTime = 100 * time.Millisecond

// BenchmarkCall is a typed call over the loopback interface beside a bare request of the client library with the bytes that our codec
// writes, the same with encoding/json's work, and the same call in process. The sides take turns, so that whatever else the machine does
// meets them alike; an iteration is a round. Medians of the rounds: microseconds a call, by the clock and of processor time (of all that
// runs here, the server too), and the rounds' ratios to the bare request.
func BenchmarkCall(b *testing.B) {
	s := serve(b, server.Options{})
	sides := []side{
		{"bare", bareSide(b, s)},
		{"bare-json", jsonSide(b, s)},
		{"nats", overNATS(b, s)},
		{"memory", inProcess(b, channel.Options{})},
		{"memory-encoded", inProcess(b, channel.Options{Strict: true})},
	}
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			took, worked := make([][]float64, len(sides)), make([][]float64, len(sides))
			slower, dearer := make([][]float64, len(sides)), make([][]float64, len(sides))
			for _, side := range sides {
				turn(b, callers, side.call) // warm
			}
			for round := 0; b.Loop(); round++ {
				for i := range sides {
					at := (i + round) % len(sides) // who is first changes
					wall, cpu := turn(b, callers, sides[at].call)
					took[at], worked[at] = append(took[at], wall), append(worked[at], cpu)
				}
				for i := range sides {
					slower[i] = append(slower[i], took[i][round]/took[0][round])
					dearer[i] = append(dearer[i], worked[i][round]/worked[0][round])
				}
			}
			b.ReportMetric(0, "ns/op") // of a round: says nothing
			for i, side := range sides {
				b.ReportMetric(quantile(took[i], 0.5), "us:"+side.name)
				b.Logf("%-14s %s; processor %s", side.name, figures(took[i], slower[i]), figures(worked[i], dearer[i]))
				if side.name != "bare" {
					b.ReportMetric(quantile(slower[i], 0.5), side.name+"/bare")
				}
			}
		})
	}
}

func figures(us, ratio []float64) string {
	return fmt.Sprintf("%7.2f us, %5.2f of bare, middle half %.2f-%.2f",
		quantile(us, 0.5), quantile(ratio, 0.5), quantile(ratio, 0.25), quantile(ratio, 0.75))
}

// turn lets callers call for a while, and returns microseconds a call: by the clock, and of processor time.
func turn(b *testing.B, callers int, call func() error) (wall, cpu float64) {
	b.Helper()
	var calls atomic.Int64
	var group sync.WaitGroup
	begin, worked := time.Now(), processorTime(b)
	for range callers {
		group.Go(func() {
			n := int64(0)
			for time.Since(begin) < turnTime {
				if err := call(); err != nil {
					b.Error(err)
					return
				}
				n++
			}
			calls.Add(n)
		})
	}
	group.Wait()
	n := float64(max(calls.Load(), 1))
	return float64(time.Since(begin).Microseconds()) / n, float64((processorTime(b) - worked).Microseconds()) / n
}

// processorTime is what this process has used so far, for itself and in the kernel.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func quantile(of []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[int(q*float64(len(sorted)-1))]
}

// What is asked in every turn, and what is answered.
var (
	asked    = question{"MUG-1", 2}
	answered = envelope{reply{Held: 2, Where: []string{"MUG-1"}}}
)

// envelope is what rpc writes around an answer.
type envelope struct {
	Value reply `json:"value"`
}

func answerIt(_ context.Context, q question) (reply, error) {
	return reply{Held: q.Quantity, Where: []string{q.SKU}}, nil
}

func overNATS(b *testing.B, s *server.Server) func() error {
	host(b, open(b, s, natslayer.Options{}), rpc.ServerOptions{}, answerIt)
	return typedCall(open(b, s, natslayer.Options{}))
}

func inProcess(b *testing.B, o channel.Options) func() error {
	l := channel.NewMemory(o)
	b.Cleanup(l.Close)
	host(b, l, rpc.ServerOptions{}, answerIt)
	return typedCall(l)
}

func typedCall(l channel.Layer) func() error {
	caller := rpc.NewCaller(l, "orders", rpc.CallerOptions{})
	return func() error {
		_, err := hold.Call(context.Background(), caller, asked)
		return err
	}
}

// bareSide asks with nothing but the client library, and the bytes of a typed call.
func bareSide(b *testing.B, s *server.Server) func() error {
	question, answer := encoded(b, asked), encoded(b, answered)
	asking := bareServer(b, s, "bare", func(m *nats.Msg) error { return m.Respond(answer) })
	return func() error {
		_, err := asking.Request("bare", question, patience)
		return err
	}
}

// jsonSide does the same, and also encodes and decodes question and answer by encoding/json, as who writes it by hand would.
func jsonSide(b *testing.B, s *server.Server) func() error {
	asking := bareServer(b, s, "codec", func(m *nats.Msg) error {
		var q question
		if err := json.Unmarshal(m.Data, &q); err != nil {
			return err
		}
		r, _ := answerIt(b.Context(), q)
		answer, err := json.Marshal(envelope{r})
		if err != nil {
			return err
		}
		return m.Respond(answer)
	})
	return func() error {
		question, err := json.Marshal(asked)
		if err != nil {
			return err
		}
		m, err := asking.Request("codec", question, patience)
		if err != nil {
			return err
		}
		return json.Unmarshal(m.Data, new(envelope))
	}
}

// bareServer answers on a subject, and returns another connection to ask with.
func bareServer(b *testing.B, s *server.Server, subject string, answer func(*nats.Msg) error) *nats.Conn {
	connect := func() *nats.Conn {
		nc, err := nats.Connect(s.ClientURL())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(nc.Close)
		return nc
	}
	answering := connect()
	_, err := answering.Subscribe(subject, func(m *nats.Msg) {
		if err := answer(m); err != nil {
			b.Error(err)
		}
	})
	if err == nil {
		err = answering.Flush()
	}
	if err != nil {
		b.Fatal(err)
	}
	return connect()
}

func encoded(b *testing.B, v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	return body
}
