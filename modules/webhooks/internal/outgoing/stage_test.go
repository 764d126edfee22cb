package outgoing_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cutpoint/migrations"
	"cutpoint/modules/orders"
	"cutpoint/modules/webhooks"
	"cutpoint/modules/webhooks/internal/outgoing"
	"cutpoint/platform/channel"
	"cutpoint/platform/id"
	"cutpoint/platform/store"
	"cutpoint/platform/webhook"
)

// stage is a body over a real store, in a time that the test moves, with a feed and receivers that the test plays. Its steps are
// taken one at a time.
type stage struct {
	*outgoing.Outgoing
	t      testing.TB
	store  *store.Store
	policy outgoing.Policy
	now    time.Time
	newID  id.Source
	random func() float64

	feed     []orders.Event
	pruned   int64 // position of the last event that is gone from it
	heaviest int   // events that a page of the feed can carry; 0: any number
	fail     func(point string) error
	post     func(to string, m message) (int, error)
	got      []message
	instant  bool   // receivers answer at once, and remember nothing
	answer   string // what they say, unless it is empty
}

// message is what a receiver got.
type message struct {
	url       string
	eventID   string
	orderID   string
	sequence  int64
	header    map[string]string
	body      string
	signature string
	at        time.Time
}

func (m message) String() string { return fmt.Sprintf("%s %s/%d", m.url, m.orderID, m.sequence) }

// start is the first moment of every stage.
var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func newStage(t testing.TB, datastore string, p outgoing.Policy) *stage {
	t.Helper()
	s := &stage{t: t, policy: p, now: start, random: func() float64 { return 0.5 }} // no jitter
	s.newID = id.NewSource(func() time.Time { return s.now }, rand.NewChaCha8([32]byte{1}))
	var err error
	s.store, err = store.Open(context.Background(), store.Options{
		Datastore: datastore, Module: webhooks.Module, Migrations: migrations.Of(webhooks.Module),
		Fail: func(point string) error {
			if s.fail == nil {
				return nil
			}
			return s.fail(point)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	s.restart()
	return s
}

// restart is what is left after a crash: the store.
func (s *stage) restart() {
	s.Outgoing = outgoing.New(outgoing.Deps{
		Store: s.store, Orders: s, Post: s.receive, Now: func() time.Time { return s.now }, NewID: s.newID,
		Random: func() float64 { return s.random() }, Secrets: rand.NewChaCha8([32]byte{byte(len(s.got)), 2}),
		Log: slog.New(slog.DiscardHandler),
	}, s.policy)
}

// Events implements outgoing.Feed.
func (s *stage) Events(_ context.Context, r orders.EventsRequest) (page orders.EventPage, err error) {
	if r.After > 0 && r.After < s.pruned {
		return page, orders.ErrEventsPruned
	}
	for _, e := range s.feed {
		if e.Position > r.After && len(page.Events) < r.Limit {
			page.Events = append(page.Events, e)
		}
	}
	if s.heaviest > 0 && len(page.Events) > s.heaviest {
		return orders.EventPage{}, channel.ErrTooLarge
	}
	return page, nil
}

// happens adds the next event of an order to the feed.
func (s *stage) happens(orderID, kind string) orders.Event {
	sequence := int64(1)
	for _, e := range s.feed {
		if e.OrderID == orderID {
			sequence++
		}
	}
	e := orders.Event{
		ID: fmt.Sprintf("evt_%s_%d", orderID, sequence), Position: int64(len(s.feed)) + 1, Type: kind, OrderID: orderID, Sequence: sequence,
		At: s.now, CorrelationID: "cor_" + orderID, Order: orders.Order{ID: orderID, Status: orders.StatusProcessing, Currency: "EUR"},
	}
	s.feed = append(s.feed, e)
	return e
}

// receive plays the receivers.
func (s *stage) receive(_ context.Context, r outgoing.Request) (outgoing.Answer, error) {
	if s.instant {
		return outgoing.Answer{StatusCode: 204}, nil
	}
	var body struct {
		Data struct {
			OrderID  string `json:"order_id"`
			Sequence int64  `json:"sequence"`
		} `json:"data"`
	}
	if err := json.Unmarshal(r.Body, &body); err != nil {
		s.t.Error(err)
	}
	m := message{
		r.URL, r.Header[webhook.HeaderID], body.Data.OrderID, body.Data.Sequence, r.Header, string(r.Body), r.Header[webhook.HeaderSignature], s.now,
	}
	s.got = append(s.got, m)
	if s.post == nil {
		return outgoing.Answer{StatusCode: 204, Body: []byte(s.answer)}, nil
	}
	status, err := s.post(r.URL, m)
	return outgoing.Answer{StatusCode: status, Body: []byte(cmp.Or(s.answer, "as told"))}, err
}

// endpoint adds one.
func (s *stage) endpoint(url string, types ...string) webhooks.EndpointSecret {
	s.t.Helper()
	e, err := s.CreateEndpoint(context.Background(), webhooks.CreateEndpointRequest{Settings: webhooks.Settings{URL: url, EventTypes: types}})
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// collect reads the feed to its end.
func (s *stage) collect() {
	s.t.Helper()
	for found := true; found; {
		var err error
		if found, err = s.Collect(context.Background()); err != nil {
			s.t.Fatal(err)
		}
	}
}

// dispatch sends what is due now, and returns what receivers got of it.
func (s *stage) dispatch() []string {
	s.t.Helper()
	before := len(s.got)
	for found := true; found; {
		var err error
		if found, err = s.Dispatch(context.Background()); err != nil {
			s.t.Fatal(err)
		}
	}
	var got []string
	for _, m := range s.got[before:] {
		got = append(got, m.String())
	}
	return got
}

// passes moves the time.
func (s *stage) passes(d time.Duration) { s.now = s.now.Add(d) }

// deliveries returns those of an endpoint, oldest first.
func (s *stage) deliveries(endpointID string) []webhooks.Delivery {
	s.t.Helper()
	page, err := s.Deliveries(context.Background(), webhooks.DeliveriesRequest{EndpointID: endpointID, Limit: 200})
	if err != nil {
		s.t.Fatal(err)
	}
	slices.Reverse(page.Deliveries)
	return page.Deliveries
}

// verify is what a receiver does with a message and its secret.
func (m message) verify(secret string) error {
	key, err := webhook.ParseSecret(secret)
	if err != nil {
		return err
	}
	header := func(name string) string { return m.header[name] }
	return webhook.Verify(key, header, bytes.Clone([]byte(m.body)), m.at, webhook.DefaultTolerance)
}

// expect compares what receivers got.
func expect(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}
