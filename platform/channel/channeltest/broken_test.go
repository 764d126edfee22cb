package channeltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cutpoint/platform/channel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestHonest: what the broken drivers are made of, and how their failures are noted, breaks nothing by itself.
func TestHonest(t *testing.T) {
	d := Driver{New: func(_ testing.TB, o channel.Options) channel.Layer {
		return &breakable{
			Layer:  channel.NewMemory(o),
			reader: func(l channel.Listener) channel.Listener { return &reader{Listener: l} },
			slot:   func(s channel.ReplySlot) channel.ReplySlot { return &slot{ReplySlot: s} },
		}
	}}
	for _, c := range cases() {
		if c.manner == alone {
			continue // long, and nothing that a wrapper could spoil
		}
		for _, failure := range play(t, d, c.keep) {
			t.Errorf("%s: %s", c.promise, failure)
		}
	}
}

// TestRealTime: the cases can be kept in real time as well.
func TestRealTime(t *testing.T) {
	Run(t, Driver{RealTime: true, New: func(_ testing.TB, o channel.Options) channel.Layer { return channel.NewMemory(o) }})
}

// keeps are cases, as a broken driver fails them.
type keeps []func(*stage)

// brokenDriver breaks a promise.
type brokenDriver struct {
	does  string // wrong
	fails keeps  // the cases that see it
	open  func(channel.Options) channel.Layer
}

// TestBroken: each broken driver fails the cases of the promise that it breaks, and no case can't be failed.
func TestBroken(t *testing.T) {
	failed := map[string]bool{}
	for _, b := range brokenDrivers() {
		t.Run(b.does, func(t *testing.T) {
			d := Driver{New: func(_ testing.TB, o channel.Options) channel.Layer { return b.open(o) }}
			for _, keep := range b.fails {
				promise := promiseOf(keep)
				failures := play(t, d, keep)
				if len(failures) == 0 {
					t.Errorf("passes %q", promise)
					continue
				}
				t.Logf("fails %q: %.150s", promise, failures[0])
				failed[promise] = true
			}
		})
	}
	if t.Failed() {
		return
	}
	for _, c := range cases() {
		if !failed[c.promise] {
			t.Errorf("no driver fails %q", c.promise)
		}
	}
}

// promiseOf finds a case by its function.
func promiseOf(keep func(*stage)) string {
	for _, c := range cases() {
		if reflect.ValueOf(c.keep).Pointer() == reflect.ValueOf(keep).Pointer() {
			return c.promise
		}
	}
	return "a case that is not in the table"
}

// over makes a driver out of a correct layer and what is wrong with it.
func over(wrong func(l channel.Layer, b *breakable)) func(channel.Options) channel.Layer {
	return func(o channel.Options) channel.Layer {
		l := channel.NewMemory(o)
		b := &breakable{Layer: l}
		wrong(l, b)
		return b
	}
}

// with makes a driver out of a correct layer that is told something else than it should be.
func with(wrong func(o *channel.Options)) func(channel.Options) channel.Layer {
	return func(o channel.Options) channel.Layer {
		wrong(&o)
		return channel.NewMemory(o)
	}
}

// reading makes a driver out of a correct layer and what is wrong with its listeners.
func reading(wrong func(channel.Listener) channel.Listener) func(channel.Options) channel.Layer {
	return over(func(_ channel.Layer, b *breakable) { b.reader = wrong })
}

// sending makes a driver out of a correct layer and what it does to messages before it sends them.
func sending(wrong func(*channel.Message)) func(channel.Options) channel.Layer {
	return over(func(l channel.Layer, b *breakable) {
		b.send = func(to string, m channel.Message) error { wrong(&m); return l.Send(to, m) }
	})
}

func brokenDrivers() []brokenDriver {
	const forEver = 1000 * time.Hour
	return []brokenDriver{
		// 1 and 2.
		{"delivers some messages twice", keeps{atMostOnce, orderOfWriters, figuresAddUp}, over(func(l channel.Layer, b *breakable) {
			var sent atomic.Int64
			b.send = func(to string, m channel.Message) error {
				if sent.Add(1)%10 == 0 {
					_ = l.Send(to, m)
				}
				return l.Send(to, m)
			}
		})},
		{"loses messages and does not count them", keeps{atMostOnce, orderOfTurns, figuresAddUp}, over(func(l channel.Layer, b *breakable) {
			var sent atomic.Int64
			b.send = func(to string, m channel.Message) error {
				if sent.Add(1)%10 == 0 {
					return nil
				}
				return l.Send(to, m)
			}
		})},
		{"reads the last message first", keeps{orderOfWriters, orderOfTurns}, reading(func(l channel.Listener) channel.Listener {
			return choosing(l, func(there []channel.Message) int { return len(there) - 1 })
		})},
		{"reads the most urgent message first", keeps{orderOfWriters}, reading(func(l channel.Listener) channel.Listener {
			return choosing(l, func(there []channel.Message) int {
				most := slices.MinFunc(there, func(a, b channel.Message) int { return a.Header.Deadline.Compare(b.Header.Deadline) })
				return slices.IndexFunc(there, func(m channel.Message) bool { return m.Header.Deadline.Equal(most.Header.Deadline) })
			})
		})},
		{"serves the newest waiter first", keeps{longestWaiter}, func(o channel.Options) channel.Layer {
			return (&line{newestFirst: true}).over(channel.NewMemory(o))
		}},
		{"forgets the second waiter", keeps{longestWaiter, flushKeepsWaiters, cancelledInLine}, secondWaiterForgotten},
		{"lets a busy channel starve a quiet one", keeps{turns}, starving},
		{"takes a message from each channel and returns one", keeps{oneForAll}, takingAll},

		// 3.
		{"looks at the capacity first and sends then", keeps{fiftySenders}, lookingFirst},
		{"has room for one more", keeps{fiftySenders, atCapacity, capacities, expiredTakeNoRoom, localCapacity, groupFullMember, laneCapacity},
			with(func(o *channel.Options) {
				if o.Capacity == 0 {
					o.Capacity = 100
				}
				o.Capacity++
				o.Capacities = slices.Clone(o.Capacities)
				for i := range o.Capacities {
					o.Capacities[i].Capacity++
				}
			})},
		{"waits for room", keeps{atCapacity}, over(func(l channel.Layer, b *breakable) {
			b.send = func(to string, m channel.Message) error {
				var err error
				for range 3 {
					if err = l.Send(to, m); !errors.Is(err, channel.ErrFull) {
						return err
					}
					time.Sleep(time.Second)
				}
				return err
			}
		})},
		{"takes the capacity of the last pattern that matches", keeps{capacities}, with(func(o *channel.Options) {
			o.Capacities = slices.Clone(o.Capacities)
			slices.Reverse(o.Capacities)
		})},
		{"has other defaults", keeps{capacities, defaultExpiry, groupDefaultExpiry}, with(func(o *channel.Options) {
			*o = channel.Options{
				Capacity: max(o.Capacity, 64), Expiry: max(o.Expiry, 2*time.Minute), GroupExpiry: max(o.GroupExpiry, 48*time.Hour), Capacities: o.Capacities,
			}
		})},

		// 4.
		{"looks at the clock only when somebody reads", keeps{expiredTakeNoRoom, reclaimed, drainExpires, laneExpiry}, lazy(0)},
		{"looks at the clock once a second", keeps{expiry}, lazy(time.Second)},
		{"delivers what has expired", keeps{expiry, deadline, defaultExpiry, reclaimed, drainExpires},
			with(func(o *channel.Options) { o.Expiry = forEver })},
		{"ignores deadlines", keeps{expiredTakeNoRoom, deadline, tooLateToRead, laneExpiry, headers},
			sending(func(m *channel.Message) { m.Header.Deadline = time.Time{} })},

		// 5.
		{"refuses good names", keeps{validNames}, over(func(l channel.Layer, b *breakable) {
			b.groupAdd = func(group, c string) error {
				if strings.ContainsAny(group+c, "_-") {
					return channel.ErrName
				}
				return l.GroupAdd(group, c)
			}
		})},
		{"takes bad names", keeps{invalidNames}, over(func(l channel.Layer, b *breakable) {
			b.send = func(to string, m channel.Message) error {
				return l.Send(strings.Trim(strings.NewReplacer("*", "any", ">", "all", "..", ".").Replace(to), "."), m)
			}
		})},
		{"leaves something behind when it refuses a name", keeps{invalidNames}, over(func(l channel.Layer, b *breakable) {
			b.listen = func(names ...string) (channel.Listener, error) {
				for _, n := range names {
					if r, err := l.Listen(n); err != nil || len(names) == 1 {
						return r, err
					}
				}
				return l.Listen(names...)
			}
		})},
		{"draws fresh names from few numbers", keeps{freshNames}, over(func(l channel.Layer, b *breakable) {
			b.newChannel = func(prefix string) (string, error) {
				name := fmt.Sprintf("%s.%s!%d", prefix, l.Info().Process, rand.IntN(1_000_000))
				return name, channel.CheckName(name)
			}
		})},
		{"treats local channels like others", keeps{localReader, localCapacity}, over(func(l channel.Layer, b *breakable) {
			everywhere := strings.NewReplacer("!", ".")
			b.send = func(to string, m channel.Message) error { return l.Send(everywhere.Replace(to), m) }
			b.listen = func(names ...string) (channel.Listener, error) {
				names = slices.Clone(names)
				for i := range names {
					names[i] = everywhere.Replace(names[i])
				}
				return l.Listen(names...)
			}
		})},

		// 6.
		{"knows one group only", keeps{groupMembers}, over(func(l channel.Layer, b *breakable) {
			b.groupAdd = func(_, c string) error { return l.GroupAdd("all", c) }
			b.groupSend = func(_ string, m channel.Message) (int, int, error) { return l.GroupSend("all", m) }
		})},
		{"discards only members", keeps{groupIdempotent}, over(func(l channel.Layer, b *breakable) {
			members := map[[2]string]bool{}
			b.groupAdd = func(group, c string) error { members[[2]string{group, c}] = true; return l.GroupAdd(group, c) }
			b.groupDiscard = func(group, c string) error {
				if !members[[2]string{group, c}] {
					return channel.ErrName.Saying("%s is no member of %s", c, group)
				}
				delete(members, [2]string{group, c})
				return l.GroupDiscard(group, c)
			}
		})},
		{"lets memberships last for ever", keeps{groupExpiry, groupDefaultExpiry, noGroupsLeft},
			with(func(o *channel.Options) { o.GroupExpiry = forEver })},
		{"does not renew a membership", keeps{groupExpiry}, over(func(l channel.Layer, b *breakable) {
			members := map[[2]string]bool{}
			b.groupAdd = func(group, c string) error {
				if members[[2]string{group, c}] {
					return nil
				}
				members[[2]string{group, c}] = true
				return l.GroupAdd(group, c)
			}
		})},
		{"fails for all of a group when one member is full", keeps{groupFullMember}, over(func(l channel.Layer, b *breakable) {
			b.groupSend = func(group string, m channel.Message) (int, int, error) {
				delivered, dropped, err := l.GroupSend(group, m)
				if dropped > 0 {
					err = channel.ErrFull
				}
				return delivered, dropped, err
			}
		})},
		{"lets a full member delay a group", keeps{groupFullMember}, over(func(l channel.Layer, b *breakable) {
			b.groupSend = func(group string, m channel.Message) (int, int, error) {
				delivered, dropped, err := l.GroupSend(group, m)
				time.Sleep(time.Duration(dropped) * time.Second)
				return delivered, dropped, err
			}
		})},

		// 7.
		{"consumes a message though it is cancelled", keeps{cancelledBefore}, reading(func(l channel.Listener) channel.Listener {
			return &reader{Listener: l, receive: func(done <-chan struct{}) (channel.Message, error) {
				if m, ok := l.Poll(); ok {
					return m, nil
				}
				return receive(l, done)
			}}
		})},
		{"loses what comes while it is cancelled", keeps{cancelledMeanwhile, cancelledNeighbour}, reading(func(l channel.Listener) channel.Listener {
			return &reader{Listener: l, receive: func(done <-chan struct{}) (channel.Message, error) {
				m, err := receive(l, done)
				moment()
				if closed(done) {
					return channel.Message{}, context.Canceled
				}
				return m, err
			}}
		})},
		{"puts back at the end what comes while it is cancelled", keeps{cancelledMeanwhile}, over(func(l channel.Layer, b *breakable) {
			b.reader = func(r channel.Listener) channel.Listener {
				return &reader{Listener: r, receive: func(done <-chan struct{}) (channel.Message, error) {
					m, err := receive(r, done)
					moment()
					if err == nil && closed(done) {
						return channel.Message{}, errors.Join(context.Canceled, l.Send(m.Channel, m))
					}
					return m, err
				}}
			}
		})},
		{"lets who leaves swallow the wake-up of the next", keeps{cancelledNeighbour}, func(o channel.Options) channel.Layer {
			return (&line{}).over(channel.NewMemory(o))
		}},
		{"keeps those in line who left", keeps{cancelledInLine}, func(o channel.Options) channel.Layer {
			return (&line{noLeaving: true}).over(channel.NewMemory(o))
		}},

		// 8.
		{"shares bodies", keeps{noSharing, noSharingInGroups, noSharingInAnswers}, sharing},
		{"has no size limit", keeps{sizes}, unlimited},
		{"encodes what should be handed over", keeps{plainBodies}, sending(func(m *channel.Message) {
			if _, ok := m.Body.([]byte); !ok {
				m.Body = fmt.Append(nil, m.Body)
			}
		})},
		{"loses a field of the header", keeps{headers}, sending(func(m *channel.Message) { m.Header.CorrelationID = "" })},

		// 9.
		{"keeps a trace of each reader", keeps{noReadersLeft}, over(func(_ channel.Layer, b *breakable) {
			var traces sync.Map
			b.reader = func(l channel.Listener) channel.Listener {
				return &reader{Listener: l, receive: func(done <-chan struct{}) (channel.Message, error) {
					traces.Store(new(int), nil)
					return receive(l, done)
				}}
			}
		})},
		{"keeps a goroutine for each channel that is listened to", keeps{noChannelsLeft}, over(func(l channel.Layer, b *breakable) {
			closing := make(chan struct{})
			b.close = sync.OnceFunc(func() { close(closing); l.Close() })
			b.reader = func(r channel.Listener) channel.Listener {
				go func() { <-closing }()
				return r
			}
		})},
		{"keeps slots after their release", keeps{noWaitsLeft, boundedSlots}, over(func(_ channel.Layer, b *breakable) {
			b.slot = func(s channel.ReplySlot) channel.ReplySlot { return &slot{ReplySlot: s, release: func() {}} }
		})},

		// 10.
		{"flushes nothing", keeps{flushEmpties, laneGoesOn}, over(func(_ channel.Layer, b *breakable) { b.flush = func() {} })},
		{"forgets those who wait when it is flushed", keeps{flushKeepsWaiters}, func(o channel.Options) channel.Layer {
			l := &line{}
			b := l.over(channel.NewMemory(o))
			b.flush = func() { b.Layer.Flush(); l.waiting = nil }
			return b
		}},
		{"forgets what was accepted when it drains", keeps{drainFinishes, drainGivesUp}, over(func(l channel.Layer, b *breakable) {
			b.drain = func(ctx context.Context) error { l.Flush(); return l.Drain(ctx) }
		})},
		{"goes on accepting while it drains", keeps{drainFinishes}, over(func(l channel.Layer, b *breakable) {
			b.drain = func(ctx context.Context) error {
				for slices.ContainsFunc(l.Stats(), func(s channel.Stats) bool { return s.Depth > 0 }) {
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-time.After(time.Second):
					}
				}
				return nil
			}
		})},
		{"drains without an end", keeps{drainGivesUp}, over(func(l channel.Layer, b *breakable) {
			b.drain = func(context.Context) error { return l.Drain(context.Background()) }
		})},
		{"drops answers while it drains", keeps{drainAnswers}, over(func(l channel.Layer, b *breakable) {
			var draining atomic.Bool
			b.drain = func(ctx context.Context) error { draining.Store(true); return l.Drain(ctx) }
			b.reply = func(to channel.ReplyTo, body any) {
				if !draining.Load() {
					l.Reply(to, body)
				}
			}
		})},
		{"leaves readers, waits and messages when it closes", keeps{closeWakes, closeDrops}, over(func(l channel.Layer, b *breakable) {
			var closed atomic.Bool
			b.close = func() { closed.Store(true) }
			b.send = func(to string, m channel.Message) error {
				if closed.Load() {
					return channel.ErrClosed
				}
				return l.Send(to, m)
			}
		})},
		{"goes on accepting after it closed", keeps{closeRefuses, closeDrops}, over(func(_ channel.Layer, b *breakable) { b.close = func() {} })},
		{"can't be closed twice", keeps{closeRefuses}, over(func(l channel.Layer, b *breakable) {
			closed := make(chan struct{})
			b.close = func() { close(closed); l.Close() }
		})},
		{"keeps listeners that closed", keeps{listenerCloses, listenerFinishes, noReceiver}, reading(func(l channel.Listener) channel.Listener {
			return &reader{Listener: l, close: func() {}}
		})},
		{"throws away what a listener leaves", keeps{listenerCloses, listenerFinishes}, reading(func(l channel.Listener) channel.Listener {
			return &reader{Listener: l, close: func() {
				for _, ok := l.Poll(); ok; _, ok = l.Poll() {
				}
				l.Close()
			}}
		})},

		// Request and reply.
		{"loses an answer that nobody waits for yet", keeps{answers, lateAnswers, boundedSlots, drainAnswers}, over(func(l channel.Layer, b *breakable) {
			var waiting sync.Map
			b.reply = func(to channel.ReplyTo, body any) {
				if _, ok := waiting.Load(to); ok {
					l.Reply(to, body)
				}
			}
			b.slot = func(s channel.ReplySlot) channel.ReplySlot {
				return &slot{ReplySlot: s, wait: func(done <-chan struct{}, deadline time.Time) (any, bool) {
					waiting.Store(s.Address(), true)
					defer waiting.Delete(s.Address())
					return s.Wait(done, deadline)
				}}
			}
		})},
		{"lets a late answer reach the next call", keeps{lateAnswers, racingAnswers}, reusingAddresses},
		{"has slots without a bound", keeps{boundedSlots}, with(func(o *channel.Options) { o.Replies = 0 })},
		{"waits for an answer although it is told to stop", keeps{waitEnds}, over(func(_ channel.Layer, b *breakable) {
			b.slot = func(s channel.ReplySlot) channel.ReplySlot {
				return &slot{ReplySlot: s, wait: func(_ <-chan struct{}, deadline time.Time) (any, bool) { return s.Wait(nil, deadline) }}
			}
		})},
		{"lets a request wait for somebody to listen", keeps{noReceiver, listenerFinishes, invalidNames}, over(func(l channel.Layer, b *breakable) {
			b.send = func(to string, m channel.Message) error {
				err := l.Send(to, m)
				if errors.Is(err, channel.ErrNoReceiver) {
					m.Header.ReplyTo = channel.ReplyTo{}
					err = l.Send(to, m)
				}
				return err
			}
		})},

		// Lanes and figures.
		{"has no lanes", keeps{laneOrder, laneGoesOn, laneWorkers, headers}, sending(func(m *channel.Message) { m.Header.Lane = "" })},
		{"has one lane for all", keeps{laneOrder}, sending(func(m *channel.Message) { m.Header.Lane = "all" })},
		{"never frees a lane", keeps{laneOrder, laneGoesOn, laneExpiry, laneWorkers, drainFinishes}, reading(func(l channel.Listener) channel.Listener {
			return &reader{Listener: l, handled: func(*channel.Message) {}}
		})},
		{"counts no time", keeps{figuresOfTime}, over(func(l channel.Layer, b *breakable) {
			b.stats = func() []channel.Stats {
				all := l.Stats()
				for i := range all {
					all[i].Oldest, all[i].Waited = 0, 0
				}
				return all
			}
		})},
		{"does not know its process", keeps{information, freshNames}, over(func(l channel.Layer, b *breakable) {
			b.info = func() channel.Info { return channel.Info{Driver: "memory", Process: "1"} }
		})},
	}
}

func closed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// secondWaiterForgotten serves one waiter at a time; whoever waits beside it is never told.
func secondWaiterForgotten(o channel.Options) channel.Layer {
	l := channel.NewMemory(o)
	var waiting atomic.Int64
	return &breakable{Layer: l, reader: func(r channel.Listener) channel.Listener {
		return &reader{Listener: r, receive: func(done <-chan struct{}) (channel.Message, error) {
			defer waiting.Add(-1)
			if waiting.Add(1) > 1 {
				<-done
			}
			return receive(r, done)
		}}
	}}
}

// starving always looks at the channels in the same order.
func starving(o channel.Options) channel.Layer {
	l := channel.NewMemory(o)
	return &breakable{Layer: l, listen: func(names ...string) (channel.Listener, error) {
		all, err := l.Listen(names...)
		if err != nil {
			return nil, err
		}
		var each []channel.Listener
		for _, n := range names {
			r, _ := l.Listen(n)
			each = append(each, r)
		}
		poll := func() (channel.Message, bool) {
			for _, r := range each {
				if m, ok := r.Poll(); ok {
					return m, true
				}
			}
			return channel.Message{}, false
		}
		return &reader{Listener: all, poll: poll, receive: func(done <-chan struct{}) (channel.Message, error) {
			if m, ok := poll(); ok {
				return m, nil
			}
			return receive(all, done)
		}}, nil
	}}
}

// takingAll wakes a reader of several channels once for each of them.
func takingAll(o channel.Options) channel.Layer {
	l := channel.NewMemory(o)
	return &breakable{Layer: l, reader: func(r channel.Listener) channel.Listener {
		return &reader{Listener: r, receive: func(done <-chan struct{}) (channel.Message, error) {
			m, err := receive(r, done)
			moment()
			_, _ = r.Poll()
			return m, err
		}}
	}}
}

// lookingFirst checks the capacity in one step and sends in the next.
func lookingFirst(o channel.Options) channel.Layer {
	limit := o.Capacity
	o.Capacity = 1000
	l := channel.NewMemory(o)
	return &breakable{Layer: l, send: func(to string, m channel.Message) error {
		if figures(l, to).Depth >= limit {
			return channel.ErrFull
		}
		moment()
		return l.Send(to, m)
	}}
}

// lazy leaves what has expired where it is until somebody comes to read it, with a clock that ticks every so often.
func lazy(tick time.Duration) func(channel.Options) channel.Layer {
	return func(o channel.Options) channel.Layer {
		expiry := o.Expiry
		if expiry == 0 {
			expiry = channel.DefaultExpiry
		}
		o.Expiry = 1000 * time.Hour
		l := channel.NewMemory(o)
		var all luggage
		return &breakable{
			Layer: l,
			send: func(to string, m channel.Message) error {
				if limit := time.Now().Add(expiry); m.Header.Deadline.IsZero() || limit.Before(m.Header.Deadline) {
					m.Header.Deadline = limit
				}
				m = all.pack(m)
				m.Header.Deadline = time.Time{}
				return l.Send(to, m)
			},
			reader: func(r channel.Listener) channel.Listener {
				return changing(r, func(m channel.Message) (channel.Message, bool) {
					m = all.unpack(m)
					return m, time.Now().Truncate(tick).Before(m.Header.Deadline)
				})
			},
		}
	}
}

// sharing hands over the very bodies that it was given.
func sharing(o channel.Options) channel.Layer {
	type boxed struct{ body any }
	l := channel.NewMemory(o)
	var all luggage
	return &breakable{
		Layer:     l,
		send:      func(to string, m channel.Message) error { return l.Send(to, all.pack(m)) },
		groupSend: func(group string, m channel.Message) (int, int, error) { return l.GroupSend(group, all.pack(m)) },
		reader: func(r channel.Listener) channel.Listener {
			return changing(r, func(m channel.Message) (channel.Message, bool) { return all.unpack(m), true })
		},
		reply: func(to channel.ReplyTo, body any) { l.Reply(to, boxed{body}) },
		slot: func(s channel.ReplySlot) channel.ReplySlot {
			return &slot{ReplySlot: s, wait: func(done <-chan struct{}, deadline time.Time) (any, bool) {
				body, ok := s.Wait(done, deadline)
				if b, is := body.(boxed); is {
					body = b.body
				}
				return body, ok
			}}
		},
	}
}

// unlimited takes bodies of any size.
func unlimited(o channel.Options) channel.Layer {
	l := channel.NewMemory(o)
	var all luggage
	pack := func(m channel.Message) channel.Message {
		if b, ok := m.Body.([]byte); ok {
			m.Body = bytes.Clone(b)
		}
		m = all.pack(m)
		m.Body = []byte("kept")
		return m
	}
	return &breakable{
		Layer:     l,
		send:      func(to string, m channel.Message) error { return l.Send(to, pack(m)) },
		groupSend: func(group string, m channel.Message) (int, int, error) { return l.GroupSend(group, pack(m)) },
		reader: func(r channel.Listener) channel.Listener {
			return changing(r, func(m channel.Message) (channel.Message, bool) { return all.unpack(m), true })
		},
	}
}

// reusingAddresses numbers its slots, and gives each number to one call after the other.
func reusingAddresses(o channel.Options) channel.Layer {
	l := channel.NewMemory(o)
	var mu sync.Mutex
	slots := map[uint64]channel.ReplySlot{}
	return &breakable{
		Layer: l,
		slot: func(s channel.ReplySlot) channel.ReplySlot {
			mu.Lock()
			defer mu.Unlock()
			number := uint64(1)
			for slots[number] != nil {
				number++
			}
			slots[number] = s
			return &slot{
				ReplySlot: s,
				address:   func() channel.ReplyTo { return channel.ReplyTo{Process: s.Address().Process, Slot: number} },
				release: func() {
					mu.Lock()
					defer mu.Unlock()
					delete(slots, number)
					s.Release()
				},
			}
		},
		reply: func(to channel.ReplyTo, body any) {
			mu.Lock()
			defer mu.Unlock()
			if s := slots[to.Slot]; s != nil {
				l.Reply(s.Address(), body)
			}
		},
	}
}
