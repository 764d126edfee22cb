package natslayer

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"cutpoint/platform/channel"
)

// rights is what is known of this process's permissions at the server.
//
// The server answers a forbidden publication with a complaint that names the subject, some time later, and the caller would wait
// for an answer until its deadline. So the first message to a subject goes alone: a round trip to the server shows whether it
// complains. Later ones trust that, until the connection is a new one or the server complains after all.
type rights struct {
	proving sync.Mutex // one at a time: the connection keeps the last complaint only
	proved  sync.Map   // subjects that were published to
	refused sync.Map   // subjects that the server complained of, and when
}

// watchRights notes complaints, and forgets all when the connection is made again: the server may have a new configuration.
func (l *Layer) watchRights() {
	complain, back := l.conn.ErrorHandler(), l.conn.ReconnectHandler()
	l.conn.SetErrorHandler(func(c *nats.Conn, s *nats.Subscription, err error) {
		if complain != nil {
			complain(c, s, err)
		}
		if subject, ok := forbidden(err); ok {
			l.refuseAt(subject)
		}
	})
	l.conn.SetReconnectHandler(func(c *nats.Conn) {
		l.rights.proved.Clear()
		l.rights.refused.Clear()
		if back != nil {
			back(c)
		}
	})
}

// refuseAt remembers a complaint for a while: the server's configuration may change without the connection.
func (l *Layer) refuseAt(subject string) {
	l.rights.proved.Delete(subject)
	if _, known := l.rights.refused.LoadOrStore(subject, time.Now()); !known {
		l.options.Log.Error("the NATS server forbids this process a subject; is its configuration that of this user?", "subject", subject)
	}
}

// publish sends a call. What the server forbids it refuses, with ErrNotAllowed.
func (l *Layer) publish(out *nats.Msg) error {
	if _, ok := l.rights.proved.Load(out.Subject); ok {
		return l.reached(l.conn.PublishMsg(out))
	}
	if l.isRefused(out.Subject) {
		return notGranted(out.Subject)
	}
	err := l.granted(func() error { return l.reached(l.conn.PublishMsg(out)) })
	switch {
	case errors.Is(err, channel.ErrNotAllowed):
		l.refuseAt(out.Subject)
	case err == nil:
		l.rights.proved.Store(out.Subject, nil)
	}
	return err
}

// isRefused reports whether the server complained of a subject a moment ago.
func (l *Layer) isRefused(subject string) bool {
	at, ok := l.rights.refused.Load(subject)
	if ok && time.Since(at.(time.Time)) > l.options.Patience {
		l.rights.refused.Delete(subject)
		return false
	}
	return ok
}

// granted does what needs a permission, and returns when the server has seen it: ErrNotAllowed if it complained.
func (l *Layer) granted(do func() error) error {
	l.rights.proving.Lock()
	defer l.rights.proving.Unlock()
	before := l.conn.LastError()
	if err := do(); err != nil {
		return err
	}
	if err := l.flush(); err != nil {
		return l.unproved(err)
	}
	err := l.conn.LastError()
	if subject, ok := forbidden(err); ok && err != before { //nolint:errorlint // another complaint, even if it says the same
		return notGranted(subject)
	}
	return nil
}

// unproved is the error of what was written, though nobody knows whether the server has it.
func (l *Layer) unproved(err error) error {
	if errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
		return channel.ErrUnreachable.Because(err).WithOutcome("")
	}
	return l.reached(err)
}

// forbidden is the subject that a complaint is about, if it is about one.
func forbidden(err error) (subject string, ok bool) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return "", false
	}
	_, rest, ok := strings.Cut(err.Error(), `"`)
	subject, _, _ = strings.Cut(rest, `"`)
	return subject, ok
}

func notGranted(subject string) error {
	return channel.ErrNotAllowed.Saying("the NATS server does not let this process use the subject %s", subject)
}
