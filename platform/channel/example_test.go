package channel_test

import (
	"errors"
	"fmt"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
)

func Example() {
	l := channel.NewMemory(channel.Options{})
	defer l.Close()
	r, err := l.Listen("parcels.packed")
	if err != nil {
		panic(err)
	}
	defer r.Close()
	if err := l.Send("parcels.packed", channel.Message{Body: []byte("ord_1")}); err != nil {
		panic(err)
	}
	var m channel.Message
	if err := r.Receive(nil, &m); err != nil {
		panic(err)
	}
	fmt.Printf("%s on %s\n", m.Body, m.Channel)
	// Output: ord_1 on parcels.packed
}

// A full channel refuses at once: the sender decides whether to wait, to shed or to fail.
func Example_backPressure() {
	l := channel.NewMemory(channel.Options{Capacities: []channel.CapacityOption{{Pattern: "parcels.*", Capacity: 2}}})
	defer l.Close()
	for range 3 {
		err := l.Send("parcels.packed", channel.Message{})
		fmt.Println(errors.Is(err, channel.ErrFull), err != nil && fault.From(err).Outcome == fault.NotExecuted)
	}
	// Output:
	// false false
	// false false
	// true true
}

// A member of a group that can't take a message loses its copy, and delays nobody.
func ExampleLayer_GroupSend() {
	l := channel.NewMemory(channel.Options{Capacities: []channel.CapacityOption{{Pattern: "screen.slow", Capacity: 1}}})
	defer l.Close()
	for _, screen := range []string{"screen.hall", "screen.office", "screen.slow"} {
		if err := l.GroupAdd("screens", screen); err != nil {
			panic(err)
		}
	}
	for range 2 {
		delivered, dropped, err := l.GroupSend("screens", channel.Message{Body: []byte("sold out: MUG-1")})
		fmt.Println(delivered, dropped, err)
	}
	// Output:
	// 3 0 <nil>
	// 2 1 <nil>
}

// What was received with a lane is reported as handled, or the next message of that lane is never read.
func ExampleListener_Handled() {
	l := channel.NewMemory(channel.Options{})
	defer l.Close()
	r, err := l.Listen("parcels.packed")
	if err != nil {
		panic(err)
	}
	for _, m := range []channel.Message{
		{Header: channel.Header{Lane: "ord_1"}, Body: []byte("first of ord_1")},
		{Header: channel.Header{Lane: "ord_1"}, Body: []byte("second of ord_1")},
		{Header: channel.Header{Lane: "ord_2"}, Body: []byte("first of ord_2")},
	} {
		if err := l.Send("parcels.packed", m); err != nil {
			panic(err)
		}
	}
	first, _ := r.Poll()
	other, _ := r.Poll() // overtakes
	r.Handled(&first)
	second, _ := r.Poll()
	fmt.Printf("%s\n%s\n%s\n", first.Body, other.Body, second.Body)
	// Output:
	// first of ord_1
	// first of ord_2
	// second of ord_1
}

// The same seed loses the same messages, so a failure that was found once can be found again.
func ExampleUnreliable() {
	l := channel.Unreliable(channel.NewMemory(channel.Options{}), channel.Unreliability{Seed: 1, DropSend: 1})
	defer l.Close()
	fmt.Println(l.Send("parcels.packed", channel.Message{Body: []byte("ord_1")}))
	fmt.Println(l.Counts().DroppedSends)
	// Output:
	// <nil>
	// 1
}
