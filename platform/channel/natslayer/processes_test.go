package natslayer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"cutpoint/platform/channel"
	"cutpoint/platform/channel/natslayer"
	"cutpoint/platform/fault"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

func receive(t testing.TB, r channel.Listener) channel.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var m channel.Message
	if err := r.Receive(ctx.Done(), &m); err != nil {
		t.Fatalf("nothing to read: %v", err)
	}
	return m
}

// ask sends a message that wants an answer, and returns the slot of the answer.
func ask(t testing.TB, l channel.Layer, to, body string) channel.ReplySlot {
	t.Helper()
	s, err := l.OpenReply()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Release)
	m := channel.Message{Header: channel.Header{ReplyTo: s.Address(), Deadline: time.Now().Add(patience)}, Body: []byte(body)}
	if err := l.Send(to, m); err != nil {
		t.Fatalf("send: %v", err)
	}
	return s
}

// answer returns what came into a slot: a body, or why the message was refused.
func answer(t testing.TB, s channel.ReplySlot) (string, error) {
	t.Helper()
	body, ok := s.Wait(nil, time.Now().Add(patience))
	if !ok {
		t.Fatal("no answer")
	}
	if f, refused := body.(*fault.Error); refused {
		return "", f
	}
	return string(body.([]byte)), nil
}

// eventually tries until it holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func TestQuestionAndAnswerCrossProcesses(t *testing.T) {
	s := serve(t, server.Options{})
	orders, stock := open(t, s, natslayer.Options{}), open(t, s, natslayer.Options{})
	r := listen(t, stock, "stock.request")
	slot := ask(t, orders, "stock.request", "how many?")
	m := receive(t, r)
	if got := string(m.Body.([]byte)); got != "how many?" || m.Channel != "stock.request" {
		t.Errorf("received %q on %s", got, m.Channel)
	}
	stock.Reply(m.Header.ReplyTo, []byte("five"))
	if got, err := answer(t, slot); got != "five" || err != nil {
		t.Errorf("answered %q, %v", got, err)
	}
}

// Every replica gets some of the work, each message one of them.
func TestReplicasShareTheLoad(t *testing.T) {
	s := serve(t, server.Options{})
	sender := open(t, s, natslayer.Options{})
	var read [2]int
	readers := [2]channel.Listener{}
	for i := range readers {
		readers[i] = listen(t, open(t, s, natslayer.Options{}), "stock.request")
	}
	const n = 100
	for i := range n {
		if err := sender.Send("stock.request", channel.Message{Body: []byte(strconv.Itoa(i))}); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range readers {
		for {
			if _, ok := r.Poll(); !ok {
				break
			}
			read[i]++
		}
	}
	if read[0]+read[1] != n || read[0] == 0 || read[1] == 0 {
		t.Errorf("the replicas read %v of %d messages", read, n)
	}
}

// A module that is at capacity in its process refuses at once, and one that left is not there.
func TestRefusalsCrossProcesses(t *testing.T) {
	s := serve(t, server.Options{})
	orders := open(t, s, natslayer.Options{})
	stock := open(t, s, natslayer.Options{Options: channel.Options{Capacity: 1}})
	r := listen(t, stock, "stock.request")
	ask(t, orders, "stock.request", "1")
	if _, err := answer(t, ask(t, orders, "stock.request", "2")); !errors.Is(err, channel.ErrFull) {
		t.Errorf("at capacity: %v", err)
	}
	r.Close()
	_, err := answer(t, ask(t, orders, "stock.request", "3"))
	if f := fault.From(err); !errors.Is(err, channel.ErrNoReceiver) || f.Outcome != fault.NotExecuted || f.RetryAfter == 0 {
		t.Errorf("with nobody there: %+v", f)
	}
}

// What a process serves itself stays in it: a value is handed over as it is, and the server never sees it.
func TestHostedChannelsStayInTheProcess(t *testing.T) {
	s := serve(t, server.Options{})
	l := open(t, s, natslayer.Options{Hosted: []string{"stock.request"}})
	r := listen(t, l, "stock.request")
	type value struct{ n int }
	v := &value{1}
	if l.Encodes("stock.request") || !l.Encodes("price.request") {
		t.Error("only what leaves the process is encoded")
	}
	seen, err := s.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Send("stock.request", channel.Message{Body: v}); err != nil {
		t.Fatal(err)
	}
	if m := receive(t, r); m.Body != any(v) {
		t.Errorf("received %v", m.Body)
	}
	if after, err := s.Varz(nil); err != nil || after.InMsgs != seen.InMsgs {
		t.Errorf("the server saw %d messages, %v", after.InMsgs-seen.InMsgs, err)
	}
	other := open(t, s, natslayer.Options{}) // and yet it is there for others
	ask(t, other, "stock.request", "from outside")
	if m := receive(t, r); string(m.Body.([]byte)) != "from outside" {
		t.Errorf("received %v", m.Body)
	}
}

func TestGroupsSpanProcesses(t *testing.T) {
	s := serve(t, server.Options{})
	a, b := open(t, s, natslayer.Options{}), open(t, s, natslayer.Options{})
	readers := []channel.Listener{listen(t, a, "a.news"), listen(t, b, "b.news")}
	for l, name := range map[channel.Layer]string{a: "a.news", b: "b.news"} {
		if err := l.GroupAdd("all", name); err != nil {
			t.Fatal(err)
		}
	}
	late := open(t, s, natslayer.Options{}) // it asks for what it missed
	for _, l := range []channel.Layer{a, b, late} {
		eventually(t, "every process knows both members", func() bool {
			delivered, dropped, err := l.GroupSend("all", channel.Message{Body: []byte("news")})
			for _, r := range readers {
				for _, ok := r.Poll(); ok; _, ok = r.Poll() {
				}
			}
			return delivered == 2 && dropped == 0 && err == nil
		})
	}
	if err := late.GroupDiscard("all", "b.news"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a membership that another process ended", func() bool {
		delivered, _, err := b.GroupSend("all", channel.Message{Body: []byte("news")})
		return delivered == 1 && err == nil
	})
}

// While the server is away everything is refused at once; what was refused does not come back to life with the server.
func TestServerGoesAndComesBack(t *testing.T) {
	s := serve(t, server.Options{})
	port := s.Addr().(*net.TCPAddr).Port
	orders, stock := open(t, s, natslayer.Options{}), open(t, s, natslayer.Options{})
	r := listen(t, stock, "stock.request")
	s.Shutdown()
	s.WaitForShutdown()
	send := func(body string) error { return orders.Send("stock.request", channel.Message{Body: []byte(body)}) }
	eventually(t, "the loss is noticed", func() bool { return send("lost") != nil })
	for i := range 100 {
		start := time.Now()
		err := send(fmt.Sprintf("refused %d", i))
		if f := fault.From(err); !errors.Is(err, channel.ErrUnreachable) || f.Outcome != fault.NotExecuted {
			t.Fatalf("without a server: %v", err)
		}
		if took := time.Since(start); took > time.Second {
			t.Fatalf("a refusal took %v", took)
		}
	}
	serve(t, server.Options{Port: port})
	eventually(t, "a message arrives again", func() bool { // the reader may find the server after the sender did
		_ = send("back")
		m, ok := r.Poll()
		if got, _ := m.Body.([]byte); ok && string(got) != "back" {
			t.Errorf("%q came back to life", got)
		}
		return ok
	})
}

// NATS answers to a forbidden subject as to a slow one: with silence. So the layer knows its own limits.
func TestOnlyAllowedChannelsAreSentTo(t *testing.T) {
	s := serve(t, server.Options{})
	l := open(t, s, natslayer.Options{Allowed: []string{"stock.*"}})
	listen(t, l, "stock.request", "price.request")
	ask(t, l, "stock.request", "allowed")
	err := l.Send("price.request", channel.Message{Body: []byte("forbidden")})
	if f := fault.From(err); !errors.Is(err, channel.ErrNotAllowed) || f.Outcome != fault.NotExecuted {
		t.Errorf("sent where it is not allowed: %v", err)
	}
}

// Everybody with the tools of NATS sees the modules, and in which processes they are.
func TestModulesAreDiscovered(t *testing.T) {
	s := serve(t, server.Options{})
	a := open(t, s, natslayer.Options{Version: "1.2.3"})
	listen(t, a, "stock.request", "stock.news")
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	m, err := nc.Request("$SRV.INFO.stock", nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	var info micro.Info
	if err := json.Unmarshal(m.Data, &info); err != nil {
		t.Fatal(err)
	}
	if info.Name != "stock" || info.Version != "1.2.3" || info.Metadata["process"] != a.Info().Process {
		t.Errorf("discovered %+v", info)
	}
	if len(info.Endpoints) != 1 || info.Endpoints[0].Subject != "cutpoint.stock.request" || info.Endpoints[0].QueueGroup != "stock" {
		t.Errorf("its endpoints are %+v", info.Endpoints)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	s := serve(t, server.Options{})
	for what, o := range map[string]natslayer.Options{
		"a prefix that is no name":     {Prefix: "a b"},
		"an allowed pattern":           {Allowed: []string{"[a"}},
		"a capacity pattern":           {Options: channel.Options{Capacities: []channel.CapacityOption{{Pattern: "[", Capacity: 1}}}},
		"a version that is no version": {Version: "new"},
	} {
		nc, err := natslayer.Connect(s.ClientURL(), natslayer.ConnectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		l, err := natslayer.New(nc, o)
		if err == nil {
			_, err = l.Listen("stock.request")
			l.Close()
		}
		if err == nil {
			t.Errorf("%s was taken", what)
		}
		nc.Close()
	}
}
