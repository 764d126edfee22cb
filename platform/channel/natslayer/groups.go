package natslayer

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"cutpoint/platform/channel"
)

// Every process knows every membership: whoever makes or ends one tells all, and a process that starts asks for those there are.

// groupChannel is where the news are told.
const groupChannel = "groups"

// groupSenders bounds the copies of one message that are under way at once.
const groupSenders = 64

// news is what processes tell each other of groups.
type news struct {
	From    string        `json:"from"` // the process
	Ask     bool          `json:"ask,omitempty"`
	Group   string        `json:"group,omitempty"`
	Channel string        `json:"channel,omitempty"`
	Left    time.Duration `json:"left,omitempty"` // of the membership; 0: it ends
}

func (l *Layer) tell(n news) error {
	n.From = l.process
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return l.reached(l.conn.Publish(l.subject(groupChannel), data))
}

// heard takes news of others.
func (l *Layer) heard(in *nats.Msg) {
	var n news
	if err := json.Unmarshal(in.Data, &n); err != nil || n.From == l.process {
		return
	}
	switch {
	case n.Ask:
		for _, m := range l.groups.All() {
			_ = l.tell(news{Group: m.Group, Channel: m.Channel, Left: time.Until(m.Until)}) // who asks hears it from others too
		}
	case channel.CheckName(n.Group) != nil || channel.CheckName(n.Channel) != nil:
	case n.Left > 0:
		l.groups.Add(n.Group, n.Channel, n.Left)
	default:
		l.groups.Discard(n.Group, n.Channel)
	}
}

// GroupAdd implements channel.Layer.
func (l *Layer) GroupAdd(group, member string) error {
	if err := l.checkGroup(group, member); err != nil {
		return err
	}
	left := l.groups.Expiry()
	l.groups.Add(group, member, left)
	return l.tell(news{Group: group, Channel: member, Left: left})
}

// GroupDiscard implements channel.Layer.
func (l *Layer) GroupDiscard(group, member string) error {
	if err := l.checkGroup(group, member); err != nil {
		return err
	}
	l.groups.Discard(group, member)
	return l.tell(news{Group: group, Channel: member})
}

// GroupSend implements channel.Layer. The copies go out side by side, so that one slow member delays nobody.
func (l *Layer) GroupSend(group string, m channel.Message) (delivered, dropped int, err error) {
	if err := l.checkGroup(group, group); err != nil {
		return 0, 0, err
	}
	if _, err := l.sendable(group, m.Body); err != nil {
		return 0, 0, err
	}
	var sent, lost atomic.Int64
	var copies sync.WaitGroup
	room := make(chan struct{}, groupSenders)
	for _, member := range l.groups.Of(group) {
		room <- struct{}{}
		copies.Go(func() {
			defer func() { <-room }()
			if l.sendCopy(member, m) == nil {
				sent.Add(1)
			} else {
				lost.Add(1)
			}
		})
	}
	copies.Wait()
	return int(sent.Load()), int(lost.Load()), nil
}

// sendCopy sends a group's message to one member.
func (l *Layer) sendCopy(to string, m channel.Message) error {
	if l.hosts(to) {
		return l.local.SendCopy(to, m)
	}
	n := line{header: &m.Header, copied: true}
	if !m.Header.ReplyTo.IsZero() {
		n.answerTo = l.address(m.Header.ReplyTo)
	}
	return l.deliver(to, m, &nats.Msg{Subject: l.subject(to), Header: n.encode(), Data: m.Body.([]byte)})
}

func (l *Layer) checkGroup(group, member string) error {
	if err := channel.CheckName(group); err != nil {
		return err
	}
	if err := channel.CheckName(member); err != nil {
		return err
	}
	if l.refuses.Load() {
		return channel.ErrClosed
	}
	if l.options.User != "" {
		return channel.ErrNotAllowed.Saying("users of the NATS server have no groups")
	}
	return nil
}
