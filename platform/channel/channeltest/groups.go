package channeltest

import (
	"time"

	"cutpoint/platform/channel"
)

// Promise 6: groups.

func groupMembers(t *stage) {
	l := t.open(channel.Options{})
	t.group(l, "all", "nobody hears", 0, 0)
	t.join(l, "all", "a", "b", "c")
	t.join(l, "others", "d")
	a, b, d := t.listen(l, "a"), t.listen(l, "b"), t.listen(l, "d")
	w := t.wait(b)
	t.group(l, "all", "1", 3, 0)
	w.gets("1")
	t.reads(a, "1")
	c := t.listen(l, "c") // too late to be there, early enough to read
	if m := t.receive(c); said(m) != "1" || m.Channel != "c" {
		t.Errorf("read %q from %q", said(m), m.Channel)
	}
	for _, r := range []channel.Listener{a, b, c, d} {
		t.empty(r)
	}
	t.group(l, "others", "2", 1, 0)
	t.reads(d, "2")
	t.empty(a)
	t.join(l, "others", "a") // a member of both
	t.group(l, "others", "3", 2, 0)
	t.group(l, "all", "4", 3, 0)
	t.reads(a, "3", "4")
	t.reads(d, "3")
	t.empty(d)
}

func groupIdempotent(t *stage) {
	l := t.open(channel.Options{})
	a, b := t.listen(l, "a"), t.listen(l, "b")
	t.join(l, "all", "a", "a", "b", "a")
	t.group(l, "all", "1", 2, 0)
	t.reads(a, "1")
	t.reads(b, "1")
	t.empty(a)
	for _, leaving := range []string{"a", "a", "stranger"} {
		if err := l.GroupDiscard("all", leaving); err != nil {
			t.Errorf("discard %s: %v", leaving, err)
		}
	}
	if err := l.GroupDiscard("no.such.group", "a"); err != nil {
		t.Errorf("discard from no group: %v", err)
	}
	t.group(l, "all", "2", 1, 0)
	t.reads(b, "2")
	t.empty(a)
	t.join(l, "all", "a")
	t.group(l, "all", "3", 2, 0)
	t.reads(a, "3")
}

func groupExpiry(t *stage) {
	l := t.open(channel.Options{GroupExpiry: 2 * t.unit, Expiry: time.Hour})
	a, b := t.listen(l, "a"), t.listen(l, "b")
	t.join(l, "all", "a", "b")
	t.pass(t.unit)
	t.group(l, "all", "1", 2, 0)
	t.join(l, "all", "a") // once more
	t.pass(t.unit)
	t.group(l, "all", "2", 1, 0)
	t.pass(t.unit)
	t.group(l, "all", "3", 0, 0)
	t.reads(a, "1", "2")
	t.reads(b, "1")
	t.empty(a)
	t.empty(b)
}

func groupDefaultExpiry(t *stage) {
	l := t.open(channel.Options{})
	t.join(l, "all", "a")
	t.pass(24*time.Hour - time.Second)
	t.group(l, "all", "1", 1, 0)
	t.pass(time.Second)
	t.group(l, "all", "2", 0, 0)
}

func groupFullMember(t *stage) {
	l := t.open(channel.Options{Capacity: 1})
	members := []string{"a", "full", "b"}
	readers := map[string]channel.Listener{}
	for _, m := range members {
		readers[m] = t.listen(l, m)
	}
	t.join(l, "all", members...)
	t.send(l, "full", text("before"))
	t.atOnce("a send to a group with a full member", func() {
		if delivered, dropped, err := l.GroupSend("all", text("1")); delivered != 2 || dropped != 1 || err != nil {
			t.Errorf("%d delivered, %d dropped, %v", delivered, dropped, err)
		}
	})
	t.reads(readers["a"], "1")
	t.reads(readers["b"], "1")
	t.reads(readers["full"], "before")
	t.empty(readers["full"])
	if s := figures(l, "full"); s.Dropped != 1 {
		t.Errorf("the copy that was dropped is not counted: %+v", s)
	}
	t.group(l, "all", "2", 3, 0) // it has room again
	t.reads(readers["full"], "2")
}
