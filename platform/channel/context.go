package channel

import "context"

type headerKey struct{}

// WithHeader returns a context in which h is the header of what is being handled: calls made with it go on under its
// correlation id, trace, actor and deadline. The HTTP edge makes the first one; package rpc makes those that follow.
func WithHeader(ctx context.Context, h Header) context.Context {
	return context.WithValue(ctx, headerKey{}, &h)
}

// HeaderOf returns the header of what is being handled, or a zero one.
func HeaderOf(ctx context.Context) Header {
	switch h := ctx.Value(headerKey{}).(type) {
	case *Header:
		return *h
	case *Handling:
		return h.header()
	default:
		return Header{}
	}
}

// Inherit fills in what a message that is sent in ctx takes over from the one that is being handled there: whom all of this
// serves, on whose behalf, in which trace, and what caused it.
func (h *Header) Inherit(ctx context.Context) {
	switch of := ctx.Value(headerKey{}).(type) {
	case *Header:
		h.inherit(of)
	case *Handling:
		of.bequeath(h)
	}
}

func (h *Header) inherit(of *Header) {
	h.CorrelationID, h.Actor, h.Causation = of.CorrelationID, of.Actor, of.ID
	h.Traceparent, h.Tracestate = of.Traceparent, of.Tracestate
}

// CorrelationID returns the id of the request at the edge that ctx serves, or "".
func CorrelationID(ctx context.Context) string { return HeaderOf(ctx).CorrelationID }

// Actor returns on whose behalf ctx acts, or "".
func Actor(ctx context.Context) string { return HeaderOf(ctx).Actor }
