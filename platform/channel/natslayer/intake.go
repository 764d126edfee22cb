package natslayer

import (
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"cutpoint/platform/channel"
)

// intake is the subscription to a channel that somebody here listens to.
type intake struct {
	listeners int
	stop      func() error
}

// listener counts its channels out when it closes.
type listener struct {
	channel.Listener
	close func()
}

func (r *listener) Close() {
	r.Listener.Close()
	r.close()
}

// Listen implements channel.Layer.
func (l *Layer) Listen(names ...string) (channel.Listener, error) {
	r, err := l.local.Listen(names...)
	if err != nil {
		return nil, err
	}
	joined := 0
	err = l.granted(func() error {
		for _, name := range names {
			if err := l.join(name); err != nil {
				return err
			}
			joined++
		}
		return nil
	})
	if err != nil {
		r.Close()
		l.leave(names[:joined])
		return nil, err
	}
	return &listener{r, sync.OnceFunc(func() { l.leave(names) })}, nil // by now others reach it
}

// join counts a listener in. The first one subscribes.
func (l *Layer) join(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := l.intakes[name]
	if in == nil {
		stop, err := l.take(name)
		if err != nil {
			return l.reached(err)
		}
		in = &intake{stop: stop}
		l.intakes[name] = in
	}
	in.listeners++
	return nil
}

// leave counts listeners out. The last one of a channel unsubscribes, and waits until the server knows: who sends then finds
// another replica, or nobody.
func (l *Layer) leave(names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs error
	for _, name := range names {
		in := l.intakes[name]
		if in == nil {
			continue
		}
		if in.listeners--; in.listeners == 0 {
			delete(l.intakes, name)
			errs = errors.Join(errs, in.stop())
		}
	}
	if errs = errors.Join(errs, l.flush()); errs != nil && !l.conn.IsClosed() {
		l.options.Log.Warn("could not unsubscribe", "channels", names, "error", errs)
	}
}

// take subscribes to a channel. What it has received it hands on even after it was stopped. A module's requests are an endpoint of
// a service, for discovery; a channel that is local to this process has no queue group, since nobody shares it.
func (l *Layer) take(name string) (stop func() error, err error) {
	if module, ok := strings.CutSuffix(name, requestSuffix); ok && !strings.ContainsAny(module, ".!") {
		return l.takeRequests(module, name)
	}
	var s *nats.Subscription
	admit := func(m *nats.Msg) { l.admit(name, m) }
	if strings.Contains(name, "!") {
		s, err = l.conn.Subscribe(l.subject(name), admit)
	} else {
		s, err = l.conn.QueueSubscribe(l.subject(name), queueGroup, admit)
	}
	if err != nil {
		return nil, err
	}
	return s.Drain, nil
}

const queueGroup = "readers"

func (l *Layer) takeRequests(module, name string) (stop func() error, err error) {
	s, err := micro.AddService(l.conn, micro.Config{
		Name: module, Version: l.options.Version, QueueGroup: module, Metadata: map[string]string{"process": l.process},
	})
	if err != nil {
		return nil, err
	}
	err = s.AddEndpoint("request", micro.HandlerFunc(func(r micro.Request) {
		l.admit(name, &nats.Msg{Subject: r.Subject(), Reply: r.Reply(), Header: nats.Header(r.Headers()), Data: r.Data()})
	}), micro.WithEndpointSubject(l.requests(name)))
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s.Stop, nil
}

// admit puts a message into the queue of its channel, or tells its sender why not. It never blocks: NATS drops what is not taken.
func (l *Layer) admit(name string, in *nats.Msg) {
	if l.isForged(in) {
		l.options.Log.Warn("a call wants its answer sent to somebody else", "subject", in.Subject, "reply", in.Reply)
		return
	}
	header, copied := l.decode(in)
	m := channel.Message{Header: header, Body: in.Data}
	send := l.local.Send
	if copied {
		send = l.local.SendCopy
	}
	err := send(name, m)
	_, wantsAnswer := l.slotOf(in.Reply)
	if in.Reply == "" || err == nil && wantsAnswer {
		return
	}
	out := &nats.Msg{Subject: in.Reply}
	if err != nil {
		refuse(out, err)
	}
	if err := l.conn.PublishMsg(out); err != nil {
		l.options.Log.Warn("a sender was not told what became of its message", "channel", name, "error", err)
	}
}

// answered hands an answer, or why there is none, to its slot.
func (l *Layer) answered(in *nats.Msg) {
	to, ok := l.slotOf(in.Subject)
	if !ok {
		return
	}
	var body any = in.Data
	if len(in.Header) > 0 {
		if f := refusal(in); f != nil {
			body = f
		}
	}
	l.local.Reply(to, body)
}

// own reports whether a slot is of this process.
func (l *Layer) own(to channel.ReplyTo) bool {
	process, err := strconv.ParseUint(l.process, 16, 64)
	return err == nil && to.Process == process
}
