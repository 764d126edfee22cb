package channel

import (
	"errors"
	"sync"
	"time"
)

// Memberships is who belongs to which group, until when: what drivers keep of groups. It is safe for concurrent use, and holds no
// more than what has not expired.
type Memberships struct {
	expiry time.Duration

	mu      sync.Mutex
	members map[string]map[string]time.Time // channel and end of membership, by group
	sweeper *time.Timer                     // nil: nothing will expire
}

// Membership is that of a channel in a group.
type Membership struct {
	Group, Channel string
	Until          time.Time
}

// NewMemberships returns an empty table. An expiry of 0 is DefaultGroupExpiry.
func NewMemberships(expiry time.Duration) *Memberships {
	if expiry <= 0 {
		expiry = DefaultGroupExpiry
	}
	return &Memberships{expiry: expiry, members: map[string]map[string]time.Time{}}
}

// Expiry is how long a membership lasts.
func (g *Memberships) Expiry() time.Duration { return g.expiry }

// Add makes a channel a member for a time, or renews its membership.
func (g *Memberships) Add(group, channel string, left time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.members[group] == nil {
		g.members[group] = map[string]time.Time{}
	}
	g.members[group][channel] = time.Now().Add(left)
	if g.sweeper == nil {
		g.sweeper = time.AfterFunc(left, g.sweep)
	}
}

// Discard ends a membership, if there is one.
func (g *Memberships) Discard(group, channel string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.members[group], channel)
	if len(g.members[group]) == 0 {
		delete(g.members, group)
	}
}

// Of returns the members of a group whose time is not over.
func (g *Memberships) Of(group string) (channels []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for channel, until := range g.members[group] {
		if !passed(until) {
			channels = append(channels, channel)
		}
	}
	return channels
}

// All returns every membership whose time is not over.
func (g *Memberships) All() (all []Membership) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for group, members := range g.members {
		for channel, until := range members {
			if !passed(until) {
				all = append(all, Membership{group, channel, until})
			}
		}
	}
	return all
}

// Clear ends every membership.
func (g *Memberships) Clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.members)
	if g.sweeper != nil {
		g.sweeper.Stop()
		g.sweeper = nil
	}
}

// sweep forgets memberships whose time is over, also of groups that nobody sends to any more.
func (g *Memberships) sweep() {
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

// GroupAdd implements Layer.
func (m *Memory) GroupAdd(group, channel string) error {
	if err := m.checkGroup(group, channel); err != nil {
		return err
	}
	m.groups.Add(group, channel, m.groups.expiry)
	return nil
}

// GroupDiscard implements Layer.
func (m *Memory) GroupDiscard(group, channel string) error {
	if err := m.checkGroup(group, channel); err != nil {
		return err
	}
	m.groups.Discard(group, channel)
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
		return 0, 0, TooLarge(len(b))
	}
	for _, channel := range m.groups.Of(group) {
		if m.SendCopy(channel, msg) == nil { // which copies the body
			delivered++
		} else {
			dropped++
		}
	}
	return delivered, dropped, nil
}

// SendCopy is Send for one member of a group: a copy that finds the channel full counts as one that was accepted and dropped.
func (m *Memory) SendCopy(to string, msg Message) error {
	err := m.Send(to, msg)
	if q, ok := m.queues.Load(to); ok && errors.Is(err, ErrFull) {
		q.(*queue).lost()
	}
	return err
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
