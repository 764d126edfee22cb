package eventstream_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"cutpoint/cmd/internal/eventstream"
	"cutpoint/modules/orders"
)

// TestShop: what happens in a real shop is in the stream, each event once and as the feed shows it, though the publisher is started
// before there is anything, and stopped under load.
func TestShop(t *testing.T) {
	j := serveJet(t, server.Options{})
	feed, place := openShop(t)
	p := publisher(t, j, feed, eventstream.Options{PollEvery: time.Millisecond})
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	orderMany(place, 80)
	p.Stop()
	p.Stop()
	drain(t, publisher(t, j, feed, eventstream.Options{}))
	j.holds(t, feed)
}

// TestKilled: a publisher that dies between sending and hearing of it, or hearing of it and writing that down, again and again while
// orders are placed, leaves no gap and no double. Once with a server that soon forgets which ids it has had.
func TestKilled(t *testing.T) {
	for name, window := range map[string]time.Duration{"ids known": time.Minute, "ids forgotten": shortWindow} {
		t.Run(name, func(t *testing.T) {
			j := serveJet(t, server.Options{})
			j.make(t, jetstream.StreamConfig{Duplicates: window})
			feed, place := openShop(t)
			var customers sync.WaitGroup
			customers.Go(func() { orderMany(place, 160) })
			for life := range 60 {
				ctx, kill := context.WithCancel(t.Context())
				points := 0
				p := publisher(t, j, feed, eventstream.Options{Batch: 1 + life%17, Fail: func(string) error {
					if points++; points > life%11 {
						kill()
						return errors.New("killed")
					}
					return nil
				}})
				for range 3 {
					if _, err := p.Step(ctx); err != nil {
						break
					}
				}
				kill()
				p.HangUp() // what it has sent may still be under way
			}
			customers.Wait()
			drain(t, publisher(t, j, feed, eventstream.Options{}))
			j.holds(t, feed)
		})
	}
}

// TestTwoAtOnce: publishers that know nothing of each other share a stream without a gap or a double.
func TestTwoAtOnce(t *testing.T) {
	j := serveJet(t, server.Options{})
	feed, place := openShop(t)
	var customers, publishers sync.WaitGroup
	customers.Go(func() { orderMany(place, 160) })
	done, stop := context.WithCancel(t.Context())
	for range 3 {
		p := publisher(t, j, feed, eventstream.Options{Batch: 7})
		publishers.Go(func() {
			for done.Err() == nil {
				_, _ = p.Step(t.Context())
			}
		})
	}
	customers.Wait()
	stop()
	publishers.Wait()
	drain(t, publisher(t, j, feed, eventstream.Options{}))
	j.holds(t, feed)
}

// TestServerRestart: the server goes away under load and comes back; orders don't notice, and nothing is missing.
func TestServerRestart(t *testing.T) {
	j := serveJet(t, server.Options{})
	feed, place := openShop(t)
	p := publisher(t, j, feed, eventstream.Options{PollEvery: time.Millisecond, PauseMax: 10 * time.Millisecond, AckTimeout: time.Second})
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	orderMany(place, 40)
	j.stop()
	orderMany(func(key string) { place("away-" + key) }, 40)
	j.start(t)
	orderMany(func(key string) { place("back-" + key) }, 40)
	p.Stop()
	drain(t, publisher(t, j, feed, eventstream.Options{}))
	j.holds(t, feed)
}

// TestLostTail: a server that forgot what it had acknowledged, for its disk did, gets it again, at the same places.
func TestLostTail(t *testing.T) {
	j := serveJet(t, server.Options{})
	f := &feed{}
	f.add(10)
	p := publisher(t, j, f, eventstream.Options{AckTimeout: 2 * time.Second})
	drain(t, p)
	j.stop()
	old := t.TempDir()
	if err := os.CopyFS(old, os.DirFS(j.options.StoreDir)); err != nil {
		t.Fatal(err)
	}
	j.start(t)
	p.AwaitServer()
	f.add(10)
	drain(t, p)
	j.stop()
	j.options.StoreDir = old
	j.start(t)
	p.AwaitServer()
	f.add(1)
	drain(t, p)
	j.holds(t, f)
}

// TestLate: a publisher that slept while another one published is refused, also when the server knows the ids no more.
func TestLate(t *testing.T) {
	j := serveJet(t, server.Options{})
	j.make(t, jetstream.StreamConfig{Duplicates: shortWindow})
	f := &feed{}
	first, second := publisher(t, j, f, eventstream.Options{}), publisher(t, j, f, eventstream.Options{})
	drain(t, first)
	drain(t, second)
	f.add(5)
	drain(t, first)
	j.forget(t)
	if _, err := second.Step(t.Context()); err == nil {
		t.Error("the second publishes what is there")
	}
	f.add(5)
	drain(t, second)
	j.holds(t, f)
}

// TestFull: a stream that takes no more stops the feed, and goes on with it when there is room.
func TestFull(t *testing.T) {
	j := serveJet(t, server.Options{})
	j.make(t, jetstream.StreamConfig{MaxMsgs: 5, Discard: jetstream.DiscardNew})
	f := &feed{}
	f.add(10)
	p := publisher(t, j, f, eventstream.Options{})
	for range 3 {
		if _, err := p.Step(t.Context()); err == nil || !strings.Contains(err.Error(), "evt_6") {
			t.Errorf("of a full stream it says %v", err)
		}
	}
	if _, err := j.stream(t).UpdateStream(t.Context(), jetstream.StreamConfig{
		Name: eventstream.DefaultStream, Subjects: []string{"cutpoint.events.>"}, MaxMsgs: 50, Discard: jetstream.DiscardNew,
	}); err != nil {
		t.Fatal(err)
	}
	drain(t, p)
	j.holds(t, f)
}

// TestTampered: somebody deletes from the stream, or deletes it, while a publisher runs.
func TestTampered(t *testing.T) {
	tamper := map[string]struct {
		with func(jetstream.JetStream, jetstream.Stream) error
		want func(all []orders.Event) []orders.Event
	}{
		"purged": {
			func(_ jetstream.JetStream, s jetstream.Stream) error { return s.Purge(context.Background()) },
			func(all []orders.Event) []orders.Event { return all[10:] },
		},
		"its last message deleted": {
			func(_ jetstream.JetStream, s jetstream.Stream) error { return s.DeleteMsg(context.Background(), 10) },
			func(all []orders.Event) []orders.Event { return append(all[:9:9], all[10:]...) },
		},
		"deleted": {
			func(js jetstream.JetStream, _ jetstream.Stream) error {
				return js.DeleteStream(context.Background(), eventstream.DefaultStream)
			},
			func(all []orders.Event) []orders.Event { return all },
		},
	}
	for name, c := range tamper {
		t.Run(name, func(t *testing.T) {
			j := serveJet(t, server.Options{})
			f := &feed{}
			f.add(10)
			s := j.make(t, jetstream.StreamConfig{Duplicates: shortWindow})
			p := publisher(t, j, f, eventstream.Options{})
			drain(t, p)
			j.forget(t)
			if err := c.with(j.stream(t), s); err != nil {
				t.Fatal(err)
			}
			f.add(10)
			drain(t, p)
			j.holdsAll(t, c.want(f.events))
		})
	}
}

// TestPruned: events that were deleted before they were published are missing, and it is said how many.
func TestPruned(t *testing.T) {
	j := serveJet(t, server.Options{})
	f := &feed{}
	f.add(10)
	var log bytes.Buffer
	p := logging(t, j, f, eventstream.Options{}, slog.New(slog.NewTextHandler(&log, nil)))
	drain(t, p)
	f.add(10)
	f.pruned = 15
	drain(t, p)
	j.holdsAll(t, append(f.events[:10:10], f.events[15:]...))
	if !strings.Contains(log.String(), "missed=5") {
		t.Errorf("the log says %s", &log)
	}
}

// TestTooLarge: an event that no message holds is published without its order, and those behind it don't wait.
func TestTooLarge(t *testing.T) {
	j := serveJet(t, server.Options{MaxPayload: 8 << 10})
	f := &feed{}
	f.add(3)
	f.events[1].Order.Customer.Email = strings.Repeat("x", 8<<10)
	drain(t, publisher(t, j, f, eventstream.Options{}))
	got := j.messages(t)
	if len(got) != 3 {
		t.Fatalf("the stream has %d messages, want 3", len(got))
	}
	for i, m := range got {
		if brief := m.Headers().Get(eventstream.HeaderBrief) == "true"; brief != (i == 1) || bytes.Contains(m.Data(), []byte(`"order":`)) == brief {
			t.Errorf("message %d is %s with %v", i+1, m.Data(), m.Headers())
		}
	}
}

// TestRefuses: a stream that could lose events, or can't hold them, is not published to.
func TestRefuses(t *testing.T) {
	subjects := []string{"cutpoint.>"}
	for says, c := range map[string]struct {
		stream  jetstream.StreamConfig
		allowed bool // by AllowWeak
	}{
		"memory":    {jetstream.StreamConfig{Subjects: subjects, Storage: jetstream.MemoryStorage}, true},
		"async":     {jetstream.StreamConfig{Subjects: subjects, PersistMode: jetstream.AsyncPersistMode}, true},
		"replicas":  {jetstream.StreamConfig{Subjects: subjects, Replicas: 1}, true},
		"no_ack":    {jetstream.StreamConfig{Subjects: subjects, NoAck: true}, false},
		"retention": {jetstream.StreamConfig{Subjects: subjects, Retention: jetstream.InterestPolicy}, false},
		"subject":   {jetstream.StreamConfig{Subjects: []string{"cutpoint.events.*", "other.>"}}, false},
		"mirror":    {jetstream.StreamConfig{Mirror: &jetstream.StreamSource{Name: "ORIGIN"}}, false},
	} {
		t.Run(says, func(t *testing.T) {
			j := serveJet(t, server.Options{})
			js := j.stream(t)
			if says == "mirror" {
				if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ORIGIN"}); err != nil {
					t.Fatal(err)
				}
			}
			c.stream.Name = eventstream.DefaultStream
			if _, err := js.CreateStream(t.Context(), c.stream); err != nil {
				t.Fatal(err)
			}
			f := &feed{}
			f.add(1)
			o := eventstream.Options{}
			if says == "replicas" {
				o.Replicas = 3
			}
			if _, err := publisher(t, j, f, o).Step(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("it says %v, want something of %s", err, says)
			}
			o.AllowWeak = true
			if _, err := publisher(t, j, f, o).Step(t.Context()); (err == nil) != c.allowed {
				t.Errorf("told to take a weak one, it says %v", err)
			}
		})
	}
}

// TestStrange: a stream whose end is not of this feed is not gone on with, since events would be left out.
func TestStrange(t *testing.T) {
	t.Run("another shop's", func(t *testing.T) {
		j := serveJet(t, server.Options{})
		theirs, ours := &feed{name: "theirs"}, &feed{name: "ours"}
		theirs.add(5)
		drain(t, publisher(t, j, theirs, eventstream.Options{}))
		for _, n := range []int{3, 5} { // their position is not there yet, and it is
			ours.add(n)
			if _, err := publisher(t, j, ours, eventstream.Options{}).Step(t.Context()); err == nil || !strings.Contains(err.Error(), "another shop") {
				t.Errorf("with %d events it says %v", n, err)
			}
		}
		j.holds(t, theirs)
	})
	t.Run("a stranger's message", func(t *testing.T) {
		j := serveJet(t, server.Options{})
		f := &feed{}
		f.add(5)
		p := publisher(t, j, f, eventstream.Options{})
		drain(t, p)
		if _, err := j.stream(t).Publish(t.Context(), "cutpoint.events.other", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := publisher(t, j, f, eventstream.Options{}).Step(t.Context()); err == nil || !strings.Contains(err.Error(), "number 6") {
			t.Errorf("it says %v", err)
		}
	})
}

// TestStandsBy: a publisher that was refused leaves the stream alone as long as the other one goes on, and takes over when it does not.
func TestStandsBy(t *testing.T) {
	j := serveJet(t, server.Options{})
	f := &feed{}
	f.add(5)
	first, second := publisher(t, j, f, eventstream.Options{}), publisher(t, j, f, eventstream.Options{})
	drain(t, first)
	drain(t, second)
	for range 3 {
		f.add(5)
		if found, err := first.Step(t.Context()); !found || err != nil {
			t.Fatalf("the first says %v, %v", found, err)
		}
		if _, err := second.Step(t.Context()); err == nil {
			t.Fatal("the second publishes while the first goes on")
		}
	}
	f.add(5)
	drain(t, second)
	j.holds(t, f)
}

// TestNoServer: a publisher without a server waits and can be stopped.
func TestNoServer(t *testing.T) {
	j := serveJet(t, server.Options{})
	p := publisher(t, j, &feed{}, eventstream.Options{})
	p.Stop()
	j.stop()
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err == nil {
		t.Error("it starts twice")
	}
	p.Stop()
}
