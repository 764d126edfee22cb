package rpc

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
)

// Faults of a call.
var (
	ErrUnknownOperation = fault.New(fault.NotFound, "rpc_unknown_operation", "the module does not offer this operation").WithOutcome(fault.NotExecuted)
	ErrExpired          = fault.New(fault.Timeout, "rpc_expired", "the deadline passed before the call was started").WithOutcome(fault.NotExecuted)
	ErrNoAnswer         = fault.New(fault.Timeout, "rpc_no_answer", "the module did not answer in time")
)

// Op is an operation of a module: what is asked with a Req and answered with a Resp. Contracts make them with Define and keep
// them in package variables; an Op is safe for concurrent use.
type Op[Req, Resp any] struct {
	channel string
	name    string
	err     error            // why values of these types can't cross
	lane    func(Req) string // nil: calls have none
	req     copier
	resp    copier
	asked   codec // of Req
	told    codec // of envelope[Resp]
	calls   sync.Pool
}

// call is what travels in process. It belongs to the side that holds it: the caller until Send, then the server, then, with
// the answer, the caller again. A caller that stops waiting leaves it to the server and the garbage collector.
type call[Req, Resp any] struct {
	req   Req
	resp  Resp
	fault *fault.Error
}

// Define describes an operation of a module. A type that can't cross a boundary is reported by Handle and Call.
func Define[Req, Resp any](module, operation string) *Op[Req, Resp] {
	op := &Op[Req, Resp]{channel: module + ".request", name: module + "." + operation}
	op.calls.New = func() any { return new(call[Req, Resp]) }
	var reqErr, respErr error
	op.req, reqErr = copierOf(reflect.TypeFor[Req]())
	op.resp, respErr = copierOf(reflect.TypeFor[Resp]())
	if err := errors.Join(reqErr, respErr); err != nil {
		op.err = fmt.Errorf("operation %s: %w", op.name, err)
		return op
	}
	op.asked, op.told = codecOf(reflect.TypeFor[Req]()), codecOf(reflect.TypeFor[envelope[Resp]]())
	return op
}

// ByLane lets calls wait for each other: those with the same lane, of whatever operation of the module, are handled one at a
// time and in the order in which they were accepted, while other lanes go on beside them. A call with the lane "" waits for
// none. It returns the operation and belongs into its definition; lane must be cheap and pure, and may not keep the request.
func (op *Op[Req, Resp]) ByLane(lane func(Req) string) *Op[Req, Resp] {
	op.lane = lane
	return op
}

// Name is module and operation: "inventory.reserve".
func (op *Op[Req, Resp]) Name() string { return op.name }

// Call asks the module and waits for its answer. See the package comment for deadlines and errors.
func (op *Op[Req, Resp]) Call(ctx context.Context, c *Caller, req Req) (Resp, error) {
	begin := time.Since(c.start)
	resp, err := op.call(ctx, c, req, begin)
	if c.options.Observe != nil {
		c.options.Observe(Observation{From: c.from, Operation: op.name, Took: time.Since(c.start) - begin, Err: err})
	}
	return resp, err
}

func (op *Op[Req, Resp]) call(ctx context.Context, c *Caller, req Req, begin time.Duration) (resp Resp, err error) {
	if op.err != nil {
		return resp, fault.ErrInternal.WithOutcome(fault.NotExecuted).Because(op.err)
	}
	if f := directly(c.direct, op); f != nil {
		return f.call(ctx, req)
	}
	var m channel.Message
	if !c.address(ctx, &m.Header, op.name, begin) {
		return resp, ErrExpired.Because(ctx.Err())
	}
	if op.lane != nil {
		m.Header.Lane = op.lane(req)
	}
	if m.Body, err = op.request(c.layer.Encodes(op.channel), req); err != nil {
		return resp, err
	}
	answer, err := op.ask(ctx, c, &m)
	if err != nil && c.options.WaitWhenFull > 0 {
		answer, err = op.askLater(ctx, c, &m, c.start.Add(begin+c.options.WaitWhenFull), err)
	}
	if err != nil {
		if fault.From(err).Outcome == fault.NotExecuted { // whoever refused it has let go of it
			op.recycle(m.Body)
		}
		return resp, err
	}
	return op.answer(answer)
}

// ask sends a message and waits for the answer. A refusal is an error, whether it comes at once or later.
func (op *Op[Req, Resp]) ask(ctx context.Context, c *Caller, m *channel.Message) (answer any, err error) {
	slot, err := c.send(op.channel, m)
	if err != nil {
		return nil, err
	}
	answer, ok := slot.Wait(ctx.Done(), m.Header.Deadline)
	slot.Release()
	if !ok {
		return nil, ErrNoAnswer.Saying("%s did not answer in time", op.name).Because(ctx.Err())
	}
	if f, refused := answer.(*fault.Error); refused {
		return nil, f
	}
	return answer, nil
}

// askLater asks again and again, for as long as the caller waits for room, its deadline allows and the channel is full. The pauses
// grow, so that many who wait don't keep a module busy that has too much to do.
func (op *Op[Req, Resp]) askLater(ctx context.Context, c *Caller, m *channel.Message, until time.Time, err error) (answer any, _ error) {
	if m.Header.Deadline.Before(until) {
		until = m.Header.Deadline
	}
	for pause := firstPause; errors.Is(err, channel.ErrFull); pause = min(2*pause, longestPause) {
		left := time.Until(until)
		if left <= 0 {
			break
		}
		select {
		case <-time.After(min(pause, left)):
		case <-ctx.Done():
			return nil, err
		}
		if time.Until(m.Header.Deadline) <= 0 {
			break // what is sent now would not be started
		}
		answer, err = op.ask(ctx, c, m)
	}
	return answer, err
}

// request copies or encodes a request.
func (op *Op[Req, Resp]) request(encodes bool, req Req) (any, error) {
	if encodes {
		own := req // to be pointed at: a request that stays in process shall not go to the heap for it
		return encode(op.asked, &own)
	}
	k := op.calls.Get().(*call[Req, Resp])
	k.req = req
	if f := copyWith(&op.req, &k.req); f != nil {
		op.recycle(k)
		return nil, f
	}
	return k, nil
}

// answer takes a response out of a message.
func (op *Op[Req, Resp]) answer(answer any) (resp Resp, err error) {
	switch body := answer.(type) {
	case *call[Req, Resp]:
		value, f := body.resp, body.fault
		op.recycle(body)
		if f != nil {
			return resp, f
		}
		return value, nil
	case []byte:
		var e envelope[Resp]
		if err := decode(op.told, body, &e); err != nil {
			return resp, fault.ErrInternal.Because(fmt.Errorf("decode the answer of %s: %w", op.name, err))
		}
		if e.Fault != nil {
			return resp, e.Fault
		}
		return e.Value, nil
	default:
		return resp, fault.ErrInternal.Because(fmt.Errorf("%s answered with a %T", op.name, answer))
	}
}

// recycle keeps a call that nobody else holds for the next one.
func (op *Op[Req, Resp]) recycle(body any) {
	if k, ok := body.(*call[Req, Resp]); ok {
		*k = call[Req, Resp]{}
		op.calls.Put(k)
	}
}

// envelope is an encoded answer.
type envelope[Resp any] struct {
	Value Resp         `json:"value"`
	Fault *fault.Error `json:"fault,omitempty"`
}
