package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/rpc"
)

// The contract of a module: its requests and answers, its faults, and its operations.

type packRequest struct {
	OrderID string `json:"order_id"`
}

type parcel struct {
	OrderID string `json:"order_id"`
	Grams   int64  `json:"grams"`
}

var errNothingToPack = fault.New(fault.NotFound, "parcels.nothing_to_pack", "the order has no lines")

// Calls about one order are handled in their order.
var pack = rpc.Define[packRequest, parcel]("parcels", "pack").ByLane(func(r packRequest) string { return r.OrderID })

func Example() {
	l := channel.NewMemory(channel.Options{})
	defer l.Close()

	s := rpc.NewServer(l, "parcels", rpc.ServerOptions{})
	rpc.Handle(s, pack, func(_ context.Context, r packRequest) (parcel, error) {
		if r.OrderID == "ord_0" {
			return parcel{}, errNothingToPack.About(r.OrderID)
		}
		return parcel{r.OrderID, 350}, nil
	})
	if err := s.Start(context.Background()); err != nil {
		panic(err)
	}
	defer func() { _ = s.Stop(context.Background()) }()

	c := rpc.NewCaller(l, "orders", rpc.CallerOptions{Timeout: time.Second})
	p, err := pack.Call(context.Background(), c, packRequest{"ord_1"})
	fmt.Println(p, err)
	_, err = pack.Call(context.Background(), c, packRequest{"ord_0"})
	fmt.Println(errors.Is(err, errNothingToPack), fault.From(err).Outcome)
	// Output:
	// {ord_1 350} <nil>
	// true executed
}

// A module at capacity refuses at once, and nothing was started. A caller that has time may ask to wait for room.
func ExampleCallerOptions_waitWhenFull() {
	l := channel.NewMemory(channel.Options{Capacity: 1})
	defer l.Close()
	r, err := l.Listen("parcels.request") // a module that never gets round to it
	if err != nil {
		panic(err)
	}
	defer r.Close()
	if err := l.Send("parcels.request", channel.Message{}); err != nil {
		panic(err)
	}
	for _, wait := range []time.Duration{0, 10 * time.Millisecond} {
		begin := time.Now()
		_, err := pack.Call(context.Background(), rpc.NewCaller(l, "orders", rpc.CallerOptions{WaitWhenFull: wait}), packRequest{"ord_1"})
		fmt.Println(errors.Is(err, channel.ErrFull), fault.From(err).Outcome, time.Since(begin) >= wait)
	}
	// Output:
	// true not_executed true
	// true not_executed true
}
