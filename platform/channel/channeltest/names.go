package channeltest

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"cutpoint/platform/channel"
)

// Promise 5: names.

const nameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// naming are the methods that take a name, each with names that are good otherwise.
func naming(l channel.Layer) map[string]func(name string) error {
	return map[string]func(string) error{
		"Send": func(n string) error { return l.Send(n, text("1")) },
		"Listen": func(n string) error {
			r, err := l.Listen("good", n)
			if err == nil {
				r.Close()
			}
			return err
		},
		"NewChannel":              func(n string) error { _, err := l.NewChannel(n); return err },
		"GroupAdd to a group":     func(n string) error { return l.GroupAdd(n, "good") },
		"GroupAdd of a channel":   func(n string) error { return l.GroupAdd("good", n) },
		"GroupDiscard of a group": func(n string) error { return l.GroupDiscard(n, "good") },
		"GroupDiscard":            func(n string) error { return l.GroupDiscard("good", n) },
		"GroupSend":               func(n string) error { _, _, err := l.GroupSend(n, text("1")); return err },
	}
}

func validNames(t *stage) {
	l := t.open(channel.Options{})
	names := []string{"a", "9", "-", "_", "inventory.request", "A-b_c.9", "a.b.c.d", strings.Repeat("n", 100)}
	for i := range len(nameBytes) {
		names = append(names, nameBytes[i:i+1])
	}
	for method, try := range naming(l) {
		for _, n := range names {
			if method == "NewChannel" && len(n) > 50 {
				continue // it has to grow
			}
			if err := try(n); err != nil && !errors.Is(err, channel.ErrFull) {
				t.Errorf("%s refuses %q: %v", method, n, err)
			}
		}
	}
	// What is local to some process can be sent to, but not read here, and is no prefix.
	for _, n := range []string{"response.aF53!17", "a!b.c", "a.b!c"} {
		for _, method := range []string{"Send", "GroupAdd of a channel"} {
			if err := naming(l)[method](n); err != nil && !errors.Is(err, channel.ErrFull) {
				t.Errorf("%s refuses %q: %v", method, n, err)
			}
		}
	}
}

func invalidNames(t *stage) {
	l := t.open(channel.Options{})
	names := []string{
		"", ".", "..", "!", ".a", "a.", "a..b", "!a", "a!", "a!b!c", "a!!b", "a.!b", "a!.b", "a!b.", "a!b..c", strings.Repeat("n", 101),
		"a b", "a*", "a.*", "a.>", ">", "a/b", "a:b", "a\\b", "a\nb", "a\x00", "é", "a\u200bb", "a\xffb",
	}
	for c := range 256 {
		if !strings.Contains(nameBytes+".!", string([]byte{byte(c)})) {
			names = append(names, string([]byte{byte(c)}), string([]byte{'a', byte(c)}), string([]byte{byte(c), 'a'}), string([]byte{'a', byte(c), 'b'}))
		}
	}
	before := channels(l)
	for method, try := range naming(l) {
		for _, n := range names {
			if err := try(n); !errors.Is(err, channel.ErrName) {
				t.Errorf("%s of %q: %v", method, n, err)
			}
		}
	}
	for _, prefix := range []string{"a!b", strings.Repeat("n", 90), strings.Repeat("n", 100)} {
		if fresh, err := l.NewChannel(prefix); !errors.Is(err, channel.ErrName) {
			t.Errorf("NewChannel of %q: %q, %v", prefix, fresh, err)
		}
	}
	_, err := l.Listen()
	t.refused("a listener to nothing", err, channel.ErrName)
	if after := channels(l); !slices.Equal(after, before) {
		t.Errorf("channels %.200q, before %q", after, before)
	}
	t.refused("a send to what a refused Listen named beside", t.asks(l, "good", t.slot(l)), channel.ErrNoReceiver)
}

func freshNames(t *stage) {
	const goroutines, each = 8, 6250
	seen := map[string]bool{}
	for range 2 { // processes
		l := t.open(channel.Options{})
		var makers sync.WaitGroup
		made := make([][]string, goroutines)
		for g := range made {
			makers.Go(func() {
				for range each {
					n, err := l.NewChannel("reply")
					if err != nil {
						t.Errorf("a new channel: %v", err)
						return
					}
					made[g] = append(made[g], n)
				}
			})
		}
		makers.Wait()
		prefix := "reply." + l.Info().Process + "!"
		for _, n := range slices.Concat(made...) {
			if seen[n] {
				t.Fatalf("%s is not new", n)
			}
			seen[n] = true
			if channel.CheckName(n) != nil || !strings.HasPrefix(n, prefix) {
				t.Fatalf("%s is no channel of process %s", n, l.Info().Process)
			}
		}
	}
	if want := 2 * goroutines * each; len(seen) != want {
		t.Errorf("%d names, want %d", len(seen), want)
	}
}

func localReader(t *stage) {
	own, other := t.open(channel.Options{}), t.open(channel.Options{})
	n := t.fresh(own, "reply")
	process := own.Info().Process
	for _, foreign := range []string{
		t.fresh(other, "reply"), "reply.0!1", "reply!1", "reply.x" + process + "!1", "reply." + process[1:] + "!1", "reply." + process + ".x!1",
	} {
		_, err := own.Listen(foreign)
		t.refused("listening to "+foreign, err, channel.ErrName)
		_, err = own.Listen(n, foreign)
		t.refused("listening to "+foreign+" beside an own one", err, channel.ErrName)
	}
	_, err := other.Listen(n)
	t.refused("listening to another process's "+n, err, channel.ErrName)
	t.send(own, n, text("1"))
	t.reads(t.listen(own, n), "1")
}

func localCapacity(t *stage) {
	l := t.open(channel.Options{Capacity: 9, Capacities: []channel.CapacityOption{{Pattern: "reply.*", Capacity: 5}}})
	a, b, c := t.fresh(l, "reply"), t.fresh(l, "reply"), t.fresh(l, "reply")
	r := t.listen(l, a)
	t.send(l, a, text("1"), text("2"), text("3"))
	t.send(l, b, text("1"), text("2"))
	for _, full := range []string{a, b, c} {
		t.refused("a sixth message of five", l.Send(full, text("6")), channel.ErrFull)
	}
	t.send(l, t.fresh(l, "other"), text("1"))
	t.reads(r, "1")
	t.send(l, c, text("3"))
	t.refused("one that was read made room for two: the second", l.Send(b, text("4")), channel.ErrFull)

	for range t.rounds(20) {
		l := t.open(channel.Options{Capacity: 5})
		var names []string
		for range 10 {
			names = append(names, t.fresh(l, "reply"))
		}
		fifty(t, l, func(i int) string { return names[i%10] })
		l.Flush()
		fifty(t, l, func(i int) string { return names[0] })
		l.Close()
	}
}
