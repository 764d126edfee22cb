package eventstream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"cutpoint/cmd/internal/catalogue"
	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/eventstream"
	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/shop"
	"cutpoint/modules/orders"
	"cutpoint/platform/auth"
)

// jet is a real NATS server that keeps its streams in a directory, as safe as it can.
type jet struct {
	options server.Options
	server  *server.Server
}

func serveJet(t testing.TB, o server.Options) *jet {
	t.Helper()
	o.Host, o.Port, o.NoLog, o.NoSigs = "127.0.0.1", server.RANDOM_PORT, true, true
	o.JetStream, o.StoreDir, o.SyncAlways = true, t.TempDir(), true
	j := &jet{options: o}
	j.start(t)
	t.Cleanup(j.stop)
	return j
}

// start starts the server, the second time where it was before.
func (j *jet) start(t testing.TB) {
	t.Helper()
	o := j.options
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server did not start")
	}
	j.server, j.options.Port = s, o.Port
}

func (j *jet) stop() {
	j.server.Shutdown()
	j.server.WaitForShutdown()
}

// stream is JetStream as an operator and a reader see it.
func (j *jet) stream(t testing.TB) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(j.server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// messages reads the whole stream by a consumer that acknowledges each message.
func (j *jet) messages(t testing.TB) (all []jetstream.Msg) {
	t.Helper()
	js := j.stream(t)
	s, err := js.Stream(t.Context(), eventstream.DefaultStream)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := s.CreateConsumer(t.Context(), jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	for uint64(len(all)) < s.CachedInfo().State.Msgs {
		m, err := reader.Next(jetstream.FetchMaxWait(10 * time.Second))
		if err != nil {
			t.Fatalf("after %d messages: %v", len(all), err)
		}
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// holds fails the test unless the stream has each event of the feed once, in its order, as the feed shows it.
func (j *jet) holds(t testing.TB, f eventstream.Feed) {
	t.Helper()
	j.holdsAll(t, every(t, f))
}

func (j *jet) holdsAll(t testing.TB, want []orders.Event) {
	t.Helper()
	got := j.messages(t)
	if len(got) != len(want) {
		t.Errorf("the stream has %d messages, want %d", len(got), len(want))
	}
	sequences := map[string]int64{}
	for i, m := range got[:min(len(got), len(want))] {
		e, h := want[i], m.Headers()
		sequences[e.OrderID]++
		if id := h.Get(jetstream.MsgIDHeader); id != e.ID {
			t.Fatalf("message %d is the event %s, want %s at position %d", i+1, id, e.ID, e.Position)
		}
		for header, value := range map[string]string{
			eventstream.HeaderPosition: strconv.FormatInt(e.Position, 10), eventstream.HeaderOrder: e.OrderID,
			eventstream.HeaderSequence: strconv.FormatInt(e.Sequence, 10), eventstream.HeaderCorrelation: e.CorrelationID,
		} {
			if got := h.Get(header); got != value {
				t.Errorf("message %d has the header %s: %q, want %q", i+1, header, got, value)
			}
		}
		if m.Subject() != "cutpoint.events."+e.Type {
			t.Errorf("message %d is on %s, its type is %s", i+1, m.Subject(), e.Type)
		}
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(body, m.Data()) {
			t.Errorf("message %d is %s, want %s", i+1, m.Data(), body)
		}
	}
}

// every reads a feed from its beginning.
func every(t testing.TB, f eventstream.Feed) (all []orders.Event) {
	t.Helper()
	for after := int64(0); ; after = all[len(all)-1].Position {
		page, err := f.Events(context.Background(), orders.EventsRequest{After: after, Limit: 200})
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, page.Events...); !page.More {
			return all
		}
	}
}

// feed is orders' feed with events that nobody placed orders for.
type feed struct {
	mu     sync.Mutex
	name   string // of the shop
	events []orders.Event
	pruned int64
}

func (f *feed) add(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		i := int64(len(f.events))
		id := fmt.Sprint("ord_", i/2)
		f.events = append(f.events, orders.Event{
			ID: fmt.Sprint("evt_", f.name, i+1), Position: i + 1, Type: orders.EventReceived, OrderID: id, Sequence: i%2 + 1,
			At: time.Unix(i, 0).UTC(), CorrelationID: fmt.Sprint("c", i), Order: orders.Order{ID: id},
		})
	}
}

func (f *feed) Events(_ context.Context, r orders.EventsRequest) (orders.EventPage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.After > 0 && r.After < f.pruned {
		return orders.EventPage{}, orders.ErrEventsPruned
	}
	from := min(int(max(r.After, f.pruned)), len(f.events))
	to := min(from+r.Limit, len(f.events))
	return orders.EventPage{Events: slices.Clone(f.events[from:to]), More: to < len(f.events)}, nil
}

// publisher is one that does nothing but what the test drives, unless it is started.
func publisher(t testing.TB, j *jet, f eventstream.Feed, o eventstream.Options) *eventstream.Publisher {
	t.Helper()
	return logging(t, j, f, o, slog.New(slog.DiscardHandler))
}

func logging(t testing.TB, j *jet, f eventstream.Feed, o eventstream.Options, log *slog.Logger) *eventstream.Publisher {
	t.Helper()
	p, err := eventstream.New(eventstream.Deps{
		Orders: f, URL: j.server.ClientURL(), Log: log, Random: func() float64 { return 0.5 },
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.HangUp)
	return p
}

// drain publishes what is there, whatever stands in the way, and fails the test if that does not end.
func drain(t testing.TB, p *eventstream.Publisher) {
	t.Helper()
	var last error
	for range 500 {
		found, err := p.Step(t.Context())
		if err == nil && !found {
			return
		}
		if err != nil {
			last = err
		}
	}
	t.Fatal("there is no end to it: ", last)
}

// openShop returns the feed of a real shop, and what places an order in it.
func openShop(t testing.TB) (eventstream.Feed, func(key string)) {
	t.Helper()
	s, err := shop.Open(t.Context(), shop.Config{Options: host.Options{Data: t.TempDir(), Version: "test", Log: slog.New(slog.DiscardHandler)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	const secret = "cpk_test_key_of_the_events"
	if _, err := s.Keys().Add(t.Context(), "test", secret, auth.Scopes()); err != nil {
		t.Fatal(err)
	}
	c := client.Into(s.API(), secret)
	if err := catalogue.Seed(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return s.Contracts().Orders, func(key string) {
		_, err := c.Do(t.Context(), http.MethodPost, "/v1/orders", map[string]any{
			"currency": "EUR", "customer": map[string]string{"email": "ada@example.com"},
			"lines": []map[string]any{{"sku": "MUG-1", "quantity": 1}}, "payment": map[string]string{"token": "pm_card_visa"},
		}, nil, "Idempotency-Key", key)
		if err != nil {
			t.Error(err)
		}
	}
}

// orderMany places n orders by 8 customers, and returns when the last is placed.
func orderMany(place func(string), n int) {
	var customers sync.WaitGroup
	for c := range 8 {
		customers.Go(func() {
			for i := range n / 8 {
				place(fmt.Sprint(c, "-", i))
			}
		})
	}
	customers.Wait()
}

// make makes the stream as an operator would, before a publisher does.
func (j *jet) make(t testing.TB, c jetstream.StreamConfig) jetstream.Stream {
	t.Helper()
	c.Name, c.Subjects = eventstream.DefaultStream, []string{"cutpoint.events.>"}
	s, err := j.stream(t).CreateStream(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shortWindow is the shortest time for which a server knows an id.
const shortWindow = 100 * time.Millisecond

// forget returns when the server knows none of the ids that it has had so far: when it takes one for new again. What it tried that
// with is deleted.
func (j *jet) forget(t testing.TB) {
	t.Helper()
	js := j.stream(t)
	s, err := js.Stream(t.Context(), eventstream.DefaultStream)
	if err != nil {
		t.Fatal(err)
	}
	for tried := 0; tried < 2; {
		ack, err := js.Publish(t.Context(), "cutpoint.events.probe", nil, jetstream.WithMsgID("probe"))
		if err != nil {
			t.Fatal(err)
		}
		if ack.Duplicate {
			continue
		}
		if err := s.DeleteMsg(t.Context(), ack.Sequence); err != nil {
			t.Fatal(err)
		}
		tried++
	}
}
