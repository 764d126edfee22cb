package stock

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"cutpoint/modules/inventory"
	"cutpoint/platform/fault"
	"cutpoint/platform/store/storetest"
)

// TestStockIsLinearisable lets customers and a storekeeper work on one item at once, and finds an order in which all that they were
// told, one after the other, is what a shelf would have told that serves one at a time.
func TestStockIsLinearisable(t *testing.T) {
	const clients, steps = 8, 60
	b, ctx := newBench(t, storetest.Datastore(t, "inventory")), context.Background()
	b.stocked(t, "MUG", false, "ber", 10)
	start := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			dice := rand.New(rand.NewPCG(7, uint64(client)))
			for range steps {
				in := wish{dice.IntN(5), dice.IntN(shelfOrders), 1 + dice.Int64N(4)}
				called := time.Since(start)
				out := b.carryOut(ctx, in)
				op := porcupine.Operation{ClientId: client, Input: in, Output: out, Call: int64(called), Return: int64(time.Since(start))}
				mu.Lock()
				history = append(history, op)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if got := porcupine.CheckOperationsTimeout(shelfModel(), history, 20*time.Second); got != porcupine.Ok {
		t.Fatalf("%d operations are %s", len(history), got)
	}
}

const shelfOrders = 24

// What is asked of the shelf.
const (
	askLook = iota
	askAdjust
	askReserve
	askFinalise
	askRelease
)

type wish struct {
	what, order int
	units       int64
}

// told is the code of a refusal, or two figures.
type told struct {
	code string
	a, b int64
}

// carryOut asks the real stock. An adjustment of four units takes four away.
func (b *bench) carryOut(ctx context.Context, in wish) told {
	orderID := strconv.Itoa(in.order)
	settled := func(r inventory.Reservation, err error) told {
		if err != nil {
			return told{code: fault.From(err).Code}
		}
		units := int64(0)
		for _, l := range r.Lines {
			units += l.Quantity
		}
		return told{a: units}
	}
	switch in.what {
	case askAdjust:
		a, err := b.Adjust(ctx, inventory.AdjustRequest{SKU: "MUG", Location: "ber", Quantity: in.delta(), Reason: "x"})
		if err != nil {
			return told{code: fault.From(err).Code}
		}
		return told{a: a.Level.OnHand, b: a.Level.Reserved}
	case askReserve:
		return settled(b.Reserve(ctx, order(orderID, "MUG", int(in.units))))
	case askFinalise:
		return settled(b.Finalise(ctx, finalise(orderID)))
	case askRelease:
		return settled(b.Release(ctx, release(orderID)))
	default:
		i, err := b.Item(ctx, inventory.ItemRequest{SKU: "MUG"})
		if err != nil {
			return told{code: fault.From(err).Code}
		}
		return told{a: i.OnHand, b: i.Reserved}
	}
}

func (a wish) delta() int64 {
	if a.units == 4 {
		return -4
	}
	return a.units
}

// oneShelf is a stock of one item that serves one at a time.
type oneShelf struct {
	onHand, reserved int64
	states           [shelfOrders]string
	units            [shelfOrders]int64
}

func shelfModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return oneShelf{onHand: 10} },
		Step: func(state, in, out any) (bool, any) {
			s := state.(oneShelf)
			answer := s.serve(in.(wish))
			return answer == out.(told), s
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
	}
}

// serve does what is asked, and says what it says.
func (s *oneShelf) serve(in wish) told {
	state, units := &s.states[in.order], &s.units[in.order]
	switch in.what {
	case askAdjust:
		if s.onHand+in.delta() < s.reserved {
			return told{code: inventory.ErrBelowReserved.Code}
		}
		s.onHand += in.delta()
		return told{a: s.onHand, b: s.reserved}
	case askReserve:
		switch {
		case *state == inventory.ReservationReleased:
			return told{code: inventory.ErrReleased.Code}
		case *state == "" && s.onHand-s.reserved < in.units:
			return told{code: inventory.ErrOutOfStock.Code}
		case *state == "":
			*state, *units = inventory.ReservationHeld, in.units
			s.reserved += in.units
		}
		return told{a: *units}
	case askFinalise:
		switch *state {
		case "":
			return told{code: inventory.ErrNotReserved.Code}
		case inventory.ReservationReleased:
			return told{code: inventory.ErrReleased.Code}
		case inventory.ReservationHeld:
			*state = inventory.ReservationConsumed
			s.onHand, s.reserved = s.onHand-*units, s.reserved-*units
		}
		return told{a: *units}
	case askRelease:
		switch *state {
		case inventory.ReservationHeld:
			s.reserved -= *units
		case inventory.ReservationConsumed:
			s.onHand += *units
		}
		*state = inventory.ReservationReleased
		return told{a: *units}
	default:
		return told{a: s.onHand, b: s.reserved}
	}
}
