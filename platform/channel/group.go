package channel

import (
	"errors"
	"sync"
	"time"
)

// groups holds who belongs to which group, until when.
type groups struct {
	expiry time.Duration

	mu      sync.Mutex
	members map[string]map[string]time.Time // channel and end of membership, by group
	sweeper *time.Timer                     // nil: nothing will expire
}

// GroupAdd implements Layer.
func (m *Memory) GroupAdd(group, channel string) error {
	if err := m.checkGroup(group, channel); err != nil {
		return err
	}
	g := &m.groups
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.members[group] == nil {
		g.members[group] = map[string]time.Time{}
	}
	g.members[group][channel] = time.Now().Add(g.expiry)
	if g.sweeper == nil {
		g.sweeper = time.AfterFunc(g.expiry, g.sweep)
	}
	return nil
}

// GroupDiscard implements Layer.
func (m *Memory) GroupDiscard(group, channel string) error {
	if err := m.checkGroup(group, channel); err != nil {
		return err
	}
	g := &m.groups
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.members[group], channel)
	if len(g.members[group]) == 0 {
		delete(g.members, group)
	}
	return nil
}

// GroupSend implements Layer.
func (m *Memory) GroupSend(group string, msg Message) (delivered, dropped int, err error) {
	if err := m.checkGroup(group, group); err != nil {
		return 0, 0, err
	}
	b, ok := msg.Body.([]byte)
	if !ok {
		return 0, 0, ErrBody
	}
	if len(b) > MaxBody {
		return 0, 0, tooLarge(len(b))
	}
	for _, channel := range m.groups.of(group) {
		err := m.Send(channel, msg) // which copies the body
		if err == nil {
			delivered++
			continue
		}
		dropped++
		if q, ok := m.queues.Load(channel); ok && errors.Is(err, ErrFull) {
			q.(*queue).lost()
		}
	}
	return delivered, dropped, nil
}

func (m *Memory) checkGroup(group, channel string) error {
	if err := CheckName(group); err != nil {
		return err
	}
	if err := CheckName(channel); err != nil {
		return err
	}
	if m.refuses.Load() {
		return ErrClosed
	}
	return nil
}

// of returns the members whose time is not over.
func (g *groups) of(group string) (channels []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for channel, until := range g.members[group] {
		if !passed(until) {
			channels = append(channels, channel)
		}
	}
	return channels
}

// sweep forgets memberships whose time is over, also of groups that nobody sends to any more.
func (g *groups) sweep() {
	g.mu.Lock()
	defer g.mu.Unlock()
	var next time.Time
	for group, members := range g.members {
		for channel, until := range members {
			switch {
			case passed(until):
				delete(members, channel)
			case next.IsZero() || until.Before(next):
				next = until
			}
		}
		if len(members) == 0 {
			delete(g.members, group)
		}
	}
	g.sweeper = nil
	if !next.IsZero() {
		g.sweeper = time.AfterFunc(time.Until(next), g.sweep)
	}
}

func (g *groups) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.members)
	if g.sweeper != nil {
		g.sweeper.Stop()
		g.sweeper = nil
	}
}
