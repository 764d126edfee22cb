package natsconf

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/channel"
	"cutpoint/platform/rpc"
)

// Every process does what it needs: it calls whom it may, over the server, and is told at once of whom it may not.
func TestEachUserCallsWhomItNeeds(t *testing.T) {
	for name, processes := range map[string][][]string{
		"apart":    apart(t),
		"together": {{"orders", "pricing"}, {"inventory", "payments"}, {"http", "webhooks"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := run(t, processes)
			layers := s.play(t)
			for _, u := range s.users {
				for _, module := range shop.Modules() {
					if layers[u.Name] == nil {
						continue
					}
					start := time.Now()
					got, err := echo(module).Call(t.Context(), rpc.NewCaller(layers[u.Name], u.Name, rpc.CallerOptions{Timeout: patience}), "hello")
					if slices.Contains(u.Hosts, module) || slices.Contains(shop.CallsOf(u.Hosts), module) {
						if err != nil || got != module+" heard hello" {
							t.Errorf("%s calls %s: %q, %v", u.Name, module, got, err)
						}
						continue
					}
					if !errors.Is(err, channel.ErrNotAllowed) || time.Since(start) > patience/2 {
						t.Errorf("%s calls %s: %q, %v after %v", u.Name, module, got, err, time.Since(start))
					}
				}
			}
		})
	}
}

// mayPublish and maySubscribe say by themselves what each user of a shop that is all apart needs. They don't ask the generator.
func mayPublish(user, subject string) bool {
	switch user {
	case Events:
		return strings.HasPrefix(subject, "cutpoint.events.") ||
			slices.Contains([]string{"$JS.API.STREAM.INFO.CUTPOINT_EVENTS", "$JS.API.STREAM.CREATE.CUTPOINT_EVENTS"}, subject)
	case Operator:
		verb, _, _ := strings.Cut(strings.TrimPrefix(subject, "$SRV."), ".")
		return strings.HasPrefix(subject, "$SRV.") && slices.Contains([]string{"PING", "STATS", "INFO"}, verb)
	}
	return slices.ContainsFunc(shop.Calls(user), func(module string) bool { return subject == "cutpoint."+module+".request."+user })
}

func maySubscribe(user, subject, queue string) bool {
	switch user {
	case Events:
		return strings.HasPrefix(subject, "cutpoint.inbox.events.")
	case Operator:
		return strings.HasPrefix(subject, "_INBOX.")
	}
	if strings.HasPrefix(subject, "cutpoint.response."+user+".") {
		return true
	}
	if user == shop.Edge {
		return false
	}
	if subject == "cutpoint."+user+".request.*" || strings.HasPrefix(subject, "cutpoint."+user+".request.") {
		return queue == user
	}
	verb, of, one := strings.Cut(strings.TrimPrefix(subject, "$SRV."), ".")
	known := strings.HasPrefix(subject, "$SRV.") && slices.Contains([]string{"PING", "STATS", "INFO"}, verb)
	return known && (!one || of == user || strings.HasPrefix(of, user+"."))
}

// subjects are all that anybody could publish to, of all users and modules, and more besides.
func subjects(users []User) (all []string) {
	names := []string{""}
	for _, u := range users {
		names = append(names, u.Name)
		for _, subject := range u.Publish {
			all = append(all, strings.ReplaceAll(subject, ">", "x"))
		}
		all = append(all, "cutpoint.response."+u.Name+".00000000000000aa.1", "cutpoint.inbox."+u.Name+".x.1")
	}
	for _, module := range shop.Modules() {
		for _, name := range names {
			all = append(all, strings.TrimSuffix("cutpoint."+module+".request."+name, "."))
		}
		all = append(all, "cutpoint."+module+".news", "$SRV.PING."+module, "$SRV.STATS."+module+".x", "$SRV.INFO."+module)
	}
	return append(all, "cutpoint", "cutpoint.groups", "cutpoint.response.x.1", "cutpoint.events.placed", "other.orders.request.http",
		"_INBOX.x", "_INBOX.x.1", "$SRV.PING", "$SRV.STATS", "$SRV.INFO", "$SRV.x", "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.PING.CONNZ",
		"$JS.API.INFO", "$JS.API.STREAM.LIST", "$JS.API.STREAM.DELETE.CUTPOINT_EVENTS", "$JS.API.STREAM.PURGE.CUTPOINT_EVENTS",
		"$JS.API.STREAM.UPDATE.CUTPOINT_EVENTS", "$JS.API.STREAM.CREATE.OTHER", "$JS.API.STREAM.MSG.GET.CUTPOINT_EVENTS",
		"$JS.API.CONSUMER.CREATE.CUTPOINT_EVENTS", "$JS.ACK.x", "$KV.x.y", "x")
}

// wildcards are what somebody curious would subscribe to.
func wildcards() []string {
	return []string{">", "*", "*.>", "cutpoint.>", "cutpoint.*", "cutpoint.*.request.*", "cutpoint.*.request", "cutpoint.response.>", "cutpoint.response.*.*",
		"cutpoint.response.*.*.*", "cutpoint.events.>", "cutpoint.inbox.>", "cutpoint.groups", "$SYS.>", "$SYS.ACCOUNT.>", "$SRV.>", "$SRV.*",
		"$JS.>", "$JS.API.>", "$JS.EVENT.>", "$KV.>", "_INBOX.>", "_INBOX.*", "_R_.>"}
}

// Everything that a user does not need is tried, and the server refuses it.
func TestEachUserDoesNothingElse(t *testing.T) {
	s := run(t, apart(t))
	published, taken := subjects(s.users), wildcards()
	for _, u := range s.users {
		for _, subject := range u.Subscribe {
			subject, _, _ = strings.Cut(subject, " ")
			taken = append(taken, subject)
		}
	}
	taken = append(taken, published...)
	slices.Sort(taken)
	taken = slices.Compact(taken)
	may, tries := 0, 0
	for _, u := range s.users {
		nc := s.connect(t, u.Name)
		for _, subject := range published {
			tries++
			got, want := !refused(t, nc, func() error { return nc.Publish(subject, nil) }), mayPublish(u.Name, subject)
			if got != want {
				t.Errorf("%s publishes to %s: %v, want %v", u.Name, subject, got, want)
			}
			if want {
				may++
			}
		}
		for _, subject := range taken {
			for _, queue := range queues(u.Name, subject) {
				tries++
				got, want := !refused(t, nc, func() error { return subscribe(nc, subject, queue) }), maySubscribe(u.Name, subject, queue)
				if got != want {
					t.Errorf("%s subscribes to %s in queue %q: %v, want %v", u.Name, subject, queue, got, want)
				}
				if want {
					may++
				}
			}
		}
	}
	if may < 100 || tries < 5*may {
		t.Errorf("only %d of %d tries were to be allowed: that shows nothing", may, tries)
	}
	t.Logf("%d tries, %d allowed", tries, may)
}

// queues are none, the user's, the one of the module that the subject is about, and one that nobody has.
func queues(user, subject string) []string {
	all := []string{"", user, "readers"}
	if words := strings.Split(subject, "."); len(words) > 1 && words[1] != user && slices.Contains(shop.Modules(), words[1]) {
		all = append(all, words[1])
	}
	return all
}

// subscribe takes nothing: it ends before a message can come.
func subscribe(nc *nats.Conn, subject, queue string) error {
	s, err := nc.QueueSubscribeSync(subject, queue)
	if queue == "" {
		s, err = nc.SubscribeSync(subject)
	}
	if err != nil {
		return err
	}
	return s.Unsubscribe()
}

// A module answers each call once, and nobody but its caller.
func TestAnswersAreNotForged(t *testing.T) {
	s := run(t, apart(t))
	layers := s.play(t)
	layers["pricing"].Close() // somebody else is pricing now
	thief := s.connect(t, "pricing")
	calls, err := thief.QueueSubscribeSync("cutpoint.pricing.request.*", "pricing")
	if err != nil {
		t.Fatal(err)
	}
	if err := thief.Flush(); err != nil {
		t.Fatal(err)
	}
	slot, err := layers["http"].OpenReply()
	if err != nil {
		t.Fatal(err)
	}
	defer slot.Release()
	m := channel.Message{Header: channel.Header{ReplyTo: slot.Address(), Deadline: time.Now().Add(patience)}, Body: []byte("1")}
	if err := layers["http"].Send("pricing.request", m); err != nil {
		t.Fatal(err)
	}
	call, err := calls.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	next := call.Reply[:strings.LastIndexByte(call.Reply, '.')] + ".4294967298"
	if !refused(t, thief, func() error { return thief.Publish(next, []byte("forged")) }) {
		t.Error("a module answers a call that it did not get")
	}
	t.Run("by a neighbour who is called in another's name", func(t *testing.T) {
		orders := s.connect(t, "orders") // it knows the slot, let's say
		answers, err := orders.SubscribeSync("cutpoint.response.orders.00000000000000aa.1")
		if err != nil {
			t.Fatal(err)
		}
		for _, reply := range []string{call.Reply, "cutpoint.payments.request.pricing", answers.Subject} {
			out := &nats.Msg{Subject: "cutpoint.inventory.request.orders", Reply: reply, Header: nats.Header{"Operation": {"echo"}}, Data: []byte(`"x"`)}
			if err := orders.PublishMsg(out); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := answers.NextMsg(patience); err != nil {
			t.Fatalf("its own call: %v", err)
		}
		if body, ok := slot.Wait(nil, time.Now().Add(200*time.Millisecond)); ok {
			t.Errorf("inventory answered the edge, which had not asked: %s", body)
		}
	})
	if refused(t, thief, func() error { return call.Respond([]byte("answer")) }) {
		t.Error("a module may not answer a call")
	}
	if !refused(t, thief, func() error { return call.Respond([]byte("again")) }) {
		t.Error("a module answers twice")
	}
}

// The operator sees who is there; the events reach their stream, and what else JetStream can is refused.
func TestUsersThatHostNothing(t *testing.T) {
	s := run(t, apart(t))
	s.play(t)
	operator := s.connect(t, Operator)
	for _, module := range shop.Modules() {
		m, err := operator.Request("$SRV.PING."+module, nil, patience)
		if err != nil {
			t.Fatalf("ping %s: %v", module, err)
		}
		var seen micro.Ping
		if err := json.Unmarshal(m.Data, &seen); err != nil || seen.Name != module {
			t.Errorf("ping %s: %s, %v", module, m.Data, err)
		}
		if _, err := operator.Request("$SRV.STATS."+module, nil, patience); err != nil {
			t.Errorf("stats of %s: %v", module, err)
		}
	}
	js, err := jetstream.New(s.connect(t, Events, nats.CustomInboxPrefix("cutpoint.inbox.events")))
	if err != nil {
		t.Fatal(err)
	}
	stream := jetstream.StreamConfig{Name: Stream(prefix), Subjects: []string{prefix + ".events.>"}}
	if _, err := js.CreateStream(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := js.Publish(t.Context(), "cutpoint.events.orders.placed", []byte("{}"), jetstream.WithMsgID("evt_1")); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := js.Stream(t.Context(), Stream(prefix))
	if err != nil {
		t.Fatal(err)
	}
	if n := kept.CachedInfo().State.Msgs; n != 1 {
		t.Errorf("%d events in the stream, want 1", n)
	}
}
