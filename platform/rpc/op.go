package rpc

import (
	"context"
	"encoding/json"
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
	err     error // why values of these types can't cross
	req     detach
	resp    detach
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
	op.req, reqErr = detacher(reflect.TypeFor[Req]())
	op.resp, respErr = detacher(reflect.TypeFor[Resp]())
	if err := errors.Join(reqErr, respErr); err != nil {
		op.err = fmt.Errorf("operation %s: %w", op.name, err)
	}
	return op
}

// Name is module and operation: "inventory.reserve".
func (op *Op[Req, Resp]) Name() string { return op.name }

// Call asks the module and waits for its answer. See the package comment for deadlines and errors.
func (op *Op[Req, Resp]) Call(ctx context.Context, c *Caller, req Req) (Resp, error) {
	start := time.Now()
	resp, err := op.call(ctx, c, req, start)
	if c.options.Observe != nil {
		c.options.Observe(Observation{From: c.from, Operation: op.name, Took: time.Since(start), Err: err})
	}
	return resp, err
}

func (op *Op[Req, Resp]) call(ctx context.Context, c *Caller, req Req, now time.Time) (resp Resp, err error) {
	if op.err != nil {
		return resp, fault.ErrInternal.WithOutcome(fault.NotExecuted).Because(op.err)
	}
	if f := directly(c.direct, op); f != nil {
		return f.call(ctx, req)
	}
	h := c.header(ctx, op.name, now)
	if ctx.Err() != nil || !now.Before(h.Deadline) {
		return resp, ErrExpired.Because(ctx.Err())
	}
	slot, err := c.layer.OpenReply()
	if err != nil {
		return resp, err
	}
	defer slot.Release()
	h.ReplyTo = slot.Address()
	body, err := op.request(c.encodes, req)
	if err != nil {
		return resp, err
	}
	if err := c.layer.Send(op.channel, channel.Message{Header: h, Body: body}); err != nil {
		op.recycle(body)
		return resp, err
	}
	answer, ok := slot.Wait(ctx.Done(), h.Deadline)
	if !ok {
		return resp, ErrNoAnswer.Saying("%s did not answer in time", op.name).Because(ctx.Err())
	}
	return op.answer(answer)
}

// request copies or encodes a request.
func (op *Op[Req, Resp]) request(encodes bool, req Req) (any, error) {
	if encodes {
		return encode(req)
	}
	k := op.calls.Get().(*call[Req, Resp])
	k.req = req
	if op.req != nil {
		op.req(reflect.ValueOf(&k.req).Elem())
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
		if err := json.Unmarshal(body, &e); err != nil {
			return resp, fault.ErrInternal.Because(fmt.Errorf("decode the answer of %s: %w", op.name, err))
		}
		if e.Fault != nil {
			return resp, e.Fault
		}
		return e.Value, nil
	case *fault.Error: // the call met no handler
		return resp, body
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

func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fault.ErrInternal.WithOutcome(fault.NotExecuted).Because(err)
	}
	if len(b) > channel.MaxBody { // said here, so that an answer that is too large is one too
		return nil, channel.ErrTooLarge.Saying("the message has %d bytes; modules may send %d", len(b), channel.MaxBody)
	}
	return b, nil
}
