package eventstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"cutpoint/modules/orders"
)

// place is how far a stream has come.
type place struct {
	known    bool      // it was read, and nothing has failed since
	sequence uint64    // of the stream's last message, there or deleted; the next one is published behind it
	position int64     // in the feed, of the last event that was published
	made     time.Time // the stream; one that was deleted and made again has nothing to do with the one before
}

// errTaken says that another publisher was faster.
var errTaken = errors.New("another publisher writes to the stream")

// find looks for the stream, makes it if it is not there, and reads where it stands.
func (p *Publisher) find(ctx context.Context) error {
	info, err := p.stream(ctx)
	if err != nil {
		return err
	}
	p.room = int(p.nc.MaxPayload())
	if limit := int(info.Config.MaxMsgSize); limit > 0 {
		p.room = min(p.room, limit)
	}
	now := place{known: true, sequence: info.State.LastSeq, made: info.Created}
	last, err := p.last()
	if err != nil {
		return err
	}
	if last.sequence > 0 {
		now.sequence, now.position = max(now.sequence, last.sequence), last.position
	}
	same := p.place.made.Equal(now.made)
	switch {
	case same && now.sequence < p.place.sequence:
		p.deps.Log.WarnContext(ctx, "the stream has lost messages that it had acknowledged: they are published again", "stream", p.options.Stream,
			"had", p.place.sequence, "has", now.sequence)
	case same: // messages may have been deleted from its end: they were there
		now.position = max(now.position, p.place.position)
	case last.sequence == 0 && now.sequence > 0:
		p.deps.Log.WarnContext(ctx, "the stream is empty but was not: the oldest events that are kept go first, again", "stream", p.options.Stream)
	}
	if err := p.recognise(ctx, last); err != nil {
		return err
	}
	moved := now.sequence != p.place.sequence
	p.place = now
	if p.aside && moved {
		return errTaken
	}
	p.aside = false
	return nil
}

// stream returns the stream as it is, made here if there was none, or says why it can't be used.
func (p *Publisher) stream(ctx context.Context) (*jetstream.StreamInfo, error) {
	s, err := p.js.Stream(ctx, p.options.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = p.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: p.options.Stream, Description: "Events of the orders of a Cutpoint shop, each once, in the order of its feed.",
			Subjects: []string{p.subjects()}, Storage: jetstream.FileStorage, Replicas: p.options.Replicas,
			Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld, Duplicates: dedupeWindow,
		})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // by another publisher, just now
			s, err = p.js.Stream(ctx, p.options.Stream)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("find the stream %s: %w", p.options.Stream, err)
	}
	info := s.CachedInfo()
	return info, p.check(info.Config)
}

// dedupeWindow is how long a stream that is made here knows an event by its id, for streams from which somebody deletes: nothing
// else here needs it.
const dedupeWindow = 2 * time.Minute

// subjects are those of every event.
func (p *Publisher) subjects() string { return p.options.Prefix + ".events.>" }

// check refuses a stream that can't hold the feed, or could lose what it acknowledged.
func (p *Publisher) check(c jetstream.StreamConfig) error {
	refuse := func(why string) error {
		return fmt.Errorf("the stream %s %s: change it, or name another one by --events-stream", c.Name, why)
	}
	switch {
	case c.Mirror != nil:
		return refuse("is a mirror, to which nobody can publish")
	case !takes(c.Subjects, p.subjects()):
		return refuse("does not take the subject " + p.subjects())
	case c.Retention != jetstream.LimitsPolicy:
		return refuse("deletes what was read (retention " + c.Retention.String() + "), and with it the place in the feed; it needs retention limits")
	case c.NoAck:
		return refuse("acknowledges nothing (no_ack)")
	}
	weakness := ""
	switch {
	case c.Storage != jetstream.FileStorage:
		weakness = "is kept in memory"
	case c.PersistMode != jetstream.DefaultPersistMode:
		weakness = "acknowledges before it writes (persist_mode async)"
	case c.Replicas < p.options.Replicas:
		weakness = fmt.Sprintf("has %d replicas of %d (--events-replicas)", c.Replicas, p.options.Replicas)
	}
	if weakness == "" || p.options.AllowWeak {
		return nil
	}
	return fmt.Errorf("the stream %s %s, so events can be lost: change it, or say --events-allow-weak", c.Name, weakness)
}

// takes reports whether one of the patterns takes every subject that another pattern does.
func takes(patterns []string, all string) bool {
	for _, pattern := range patterns {
		if covers(strings.Split(pattern, "."), strings.Split(all, ".")) {
			return true
		}
	}
	return false
}

func covers(pattern, all []string) bool {
	for i, token := range pattern {
		if token == ">" {
			return i < len(all)
		}
		if i >= len(all) || all[i] == ">" || token != "*" && token != all[i] {
			return false
		}
	}
	return len(pattern) == len(all)
}

// message is what the last message of a stream says; the zero value stands for none.
type message struct {
	sequence uint64
	position int64
	event    string
}

// last reads the last message on our subjects; asked for the last on any, a server finds none where the very last was deleted. It asks
// the stream's leader: a replica that lags behind would have events published again.
func (p *Publisher) last() (message, error) {
	leader, err := p.nc.JetStream(nats.MaxWait(p.options.AckTimeout))
	if err != nil {
		return message{}, err
	}
	raw, err := leader.GetLastMsg(p.options.Stream, p.subjects())
	if errors.Is(err, nats.ErrMsgNotFound) {
		return message{}, nil
	}
	if err != nil {
		return message{}, fmt.Errorf("read the last message of the stream %s: %w", p.options.Stream, err)
	}
	position, err := strconv.ParseInt(raw.Header.Get(HeaderPosition), 10, 64)
	if err != nil {
		return message{}, fmt.Errorf("the last message of the stream %s, number %d on %s, is no event of a shop: delete it, and see who else publishes there",
			p.options.Stream, raw.Sequence, raw.Subject)
	}
	return message{sequence: raw.Sequence, position: position, event: raw.Header.Get(jetstream.MsgIDHeader)}, nil
}

// recognise holds the last message against the feed: one of another shop, or of this one before a backup was restored, would let
// events be left out.
func (p *Publisher) recognise(ctx context.Context, last message) error {
	if last.sequence == 0 {
		return nil
	}
	page, err := p.deps.Orders.Events(ctx, orders.EventsRequest{After: last.position - 1, Limit: 1, Brief: true})
	if errors.Is(err, orders.ErrEventsPruned) {
		return nil // nobody knows any more
	}
	if err != nil {
		return err
	}
	gone := len(page.Events) == 0 && last.position > 1
	if gone || len(page.Events) > 0 && page.Events[0].Position == last.position && page.Events[0].ID != last.event {
		return fmt.Errorf("the stream %s ends with the event %s at position %d, which the feed does not have there: it is another shop's, or this shop's "+
			"from before a backup was restored; delete it, or name another one by --events-stream", p.options.Stream, last.event, last.position)
	}
	return nil
}
