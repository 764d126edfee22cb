package natslayer

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"cutpoint/platform/channel"
)

// Defaults of a layer.
const (
	DefaultPrefix   = "cutpoint"
	DefaultPatience = 2 * time.Second
)

// Options are the settings of a layer. The zero value takes the defaults.
type Options struct {
	channel.Options

	Prefix   string        // of every subject; two shops on one server have two
	User     string        // as whom the server knows this process, if it keeps users apart: then every process has one. See users.go
	Hosted   []string      // channels that this process serves: what it sends there itself never leaves it
	Allowed  []string      // channels that it may send to, patterns of path.Match; none: all. NATS would not tell a forbidden one from a slow one
	Patience time.Duration // longest wait for the server, and for the acknowledgement of a message that wants no answer
	Version  string        // of the modules here, for discovery; a semantic version
	Log      *slog.Logger
}

// Layer is a channel layer over a NATS connection.
type Layer struct {
	options Options
	conn    *nats.Conn
	local   *channel.Memory // what was admitted here, what is hosted here, and the reply slots
	groups  *channel.Memberships
	process string
	refuses atomic.Bool // closed, or draining
	far     bool        // answers to this process take the way of those to others; for tests
	rights  rights

	mu      sync.Mutex
	intakes map[string]*intake // by channel
	fixed   []*nats.Subscription
}

var _ channel.Layer = (*Layer)(nil)

// New returns a layer over a connection made by Connect. Closing the layer closes the connection. It fails if an option makes no
// sense or the server doesn't answer.
func New(nc *nats.Conn, o Options) (*Layer, error) {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	if o.Version == "" {
		o.Version = "0.0.0"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	local := channel.NewMemory(o.Options)
	l := &Layer{
		options: o, conn: nc, local: local, groups: channel.NewMemberships(o.GroupExpiry), process: local.Info().Process,
		intakes: map[string]*intake{},
	}
	l.watchRights()
	if err := l.subscribe(); err != nil {
		l.Close()
		return nil, fmt.Errorf("subscribe at the NATS server: %w", err)
	}
	return l, nil
}

func (o Options) check() error {
	if err := o.Check(); err != nil {
		return err
	}
	if err := CheckPrefix(o.Prefix); err != nil {
		return err
	}
	if o.User != "" && CheckUser(o.User) != nil {
		return CheckUser(o.User)
	}
	for _, p := range o.Allowed {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("allowed channel %q: %w", p, err)
		}
	}
	return nil
}

// subscribe makes the two subscriptions that every process has: for answers, and for news of groups, which users do without.
func (l *Layer) subscribe() error {
	takers := map[string]nats.MsgHandler{l.answers("*"): l.answered}
	if l.options.User == "" {
		takers[l.subject(groupChannel)] = l.heard
	}
	return l.granted(func() error {
		for subject, take := range takers {
			s, err := l.conn.Subscribe(subject, take)
			if err != nil {
				return err
			}
			l.fixed = append(l.fixed, s)
		}
		if l.options.User != "" {
			return nil
		}
		return l.tell(news{Ask: true})
	})
}

// flush returns when the server has seen all that was written before.
func (l *Layer) flush() error { return l.conn.FlushTimeout(l.options.Patience) }

func (l *Layer) subject(name string) string { return l.options.Prefix + "." + name }

// Info implements channel.Layer.
func (l *Layer) Info() channel.Info { return channel.Info{Driver: "nats", Process: l.process} }

// Encodes implements channel.Layer.
func (l *Layer) Encodes(to string) bool { return !l.hosts(to) || l.local.Encodes(to) }

func (l *Layer) hosts(name string) bool { return slices.Contains(l.options.Hosted, name) }

func (l *Layer) allows(name string) bool {
	return len(l.options.Allowed) == 0 || slices.ContainsFunc(l.options.Allowed, func(p string) bool {
		ok, _ := path.Match(p, name)
		return ok
	})
}

// Send implements channel.Layer.
func (l *Layer) Send(to string, m channel.Message) error {
	if l.hosts(to) {
		return l.local.Send(to, m)
	}
	body, err := l.sendable(to, m.Body)
	if err != nil {
		return err
	}
	out := &nats.Msg{Subject: l.request(to), Header: line{header: &m.Header}.encode(), Data: body}
	if m.Header.ReplyTo.IsZero() {
		return l.deliver(to, m, out)
	}
	m.Header.ReplyTo.User = l.options.User
	out.Reply = l.address(m.Header.ReplyTo)
	return l.publish(out)
}

// sendable returns the body of a message that may cross, or why it may not.
func (l *Layer) sendable(to string, body any) ([]byte, error) {
	if err := channel.CheckName(to); err != nil {
		return nil, err
	}
	b, ok := body.([]byte)
	switch {
	case !ok:
		return nil, channel.ErrBody
	case len(b) > channel.MaxBody:
		return nil, channel.TooLarge(len(b))
	case l.refuses.Load():
		return nil, channel.ErrClosed
	case !l.allows(to):
		return nil, channel.ErrNotAllowed.Saying("this process is not configured to send to %s", to)
	case l.options.User != "" && !strings.HasSuffix(to, requestSuffix):
		return nil, channel.ErrNotAllowed.Saying("a user of the NATS server calls modules and sends nothing to %s", to)
	}
	return b, nil
}

// deliver sends a message that wants no answer, and waits until it is admitted. One that nobody listens to waits here.
func (l *Layer) deliver(to string, m channel.Message, out *nats.Msg) error {
	if l.options.User != "" {
		return channel.ErrNotAllowed.Saying("a user of the NATS server sends %s calls only, which want an answer", to)
	}
	ack, err := l.conn.RequestMsg(out, l.options.Patience)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return l.local.Send(to, m)
	case errors.Is(err, nats.ErrTimeout):
		return channel.ErrUnreachable.Saying("%s did not say whether it has the message", to).WithOutcome("")
	case err != nil:
		return l.reached(err)
	}
	if f := refusal(ack); f != nil {
		return f
	}
	return nil
}

// reached turns an error of the connection into one of the layer.
func (l *Layer) reached(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrConnectionDraining):
		return channel.ErrClosed
	case errors.Is(err, nats.ErrMaxPayload):
		return channel.ErrTooLarge.Because(err)
	default:
		return channel.ErrUnreachable.Because(err)
	}
}

// Reply implements channel.Layer.
func (l *Layer) Reply(to channel.ReplyTo, body any) {
	if !l.far && l.own(to) {
		l.local.Reply(to, body)
		return
	}
	answer := &nats.Msg{Subject: l.address(to)}
	switch b := body.(type) {
	case []byte:
		answer.Data = b
	default:
		refuse(answer, channel.ErrBody)
	}
	if err := l.conn.PublishMsg(answer); err != nil {
		l.options.Log.Warn("an answer was lost", "to", to, "error", err)
	}
}

// NewChannel implements channel.Layer.
func (l *Layer) NewChannel(prefix string) (string, error) { return l.local.NewChannel(prefix) }

// OpenReply implements channel.Layer.
func (l *Layer) OpenReply() (channel.ReplySlot, error) { return l.local.OpenReply() }

// Flush implements channel.Layer, for this process.
func (l *Layer) Flush() {
	l.groups.Clear()
	l.local.Flush()
}

// Drain implements channel.Layer, for this process: others are refused from now on, and find another replica if there is one.
func (l *Layer) Drain(ctx context.Context) error {
	l.refuses.Store(true)
	return l.local.Drain(ctx)
}

// Close implements channel.Layer.
func (l *Layer) Close() {
	l.refuses.Store(true)
	l.local.Close()
	l.groups.Clear()
	l.conn.Close() // which ends every subscription
}

// Stats implements channel.Layer, for this process.
func (l *Layer) Stats() []channel.Stats { return l.local.Stats() }

// answers is the subject of the answers to a slot of this process.
func (l *Layer) answers(slot string) string {
	return l.subject(responses(l.options.User) + l.process + "." + slot)
}

// address is the subject of a reply slot, its name with the exclamation mark made a dot and the user before it: all slots of a
// process are one wildcard, and all processes of a user.
func (l *Layer) address(to channel.ReplyTo) string {
	var process [8]byte
	binary.BigEndian.PutUint64(process[:], to.Process)
	b := make([]byte, 0, 128)
	b = append(b, l.options.Prefix...)
	b = append(b, '.')
	b = append(b, responses(to.User)...)
	b = hex.AppendEncode(b, process[:])
	return string(strconv.AppendUint(append(b, '.'), to.Slot, 10))
}
