package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
)

// DefaultWorkers is how many calls a module handles at once. A handler mostly waits for a commit, and commits are shared by
// those who wait at the same time, so there are far more workers than cores.
const DefaultWorkers = 64

// ServerOptions are the settings of a server. The zero value takes the defaults.
type ServerOptions struct {
	Workers int
	Log     *slog.Logger // told of panics and of internal faults, which callers see without their cause

	// Observe is told of every message that was answered, by the worker that did: it must be quick, and safe for concurrent use.
	// Without it, no clock is read for its sake.
	Observe func(Handled)
}

// Handled is a message that was answered, as the module saw it.
type Handled struct {
	Operation string
	From      string        // the calling module
	Waited    time.Duration // in the module's channel
	Took      time.Duration // by the handler
	Err       error         // what the caller was answered; nil: success
}

// Server answers the calls to one module with a fixed pool of workers.
type Server struct {
	layer   channel.Layer
	module  string
	options ServerOptions
	offers  []offer
	direct  map[string]any // the same without messages, for NewDirect
	err     error

	mu       sync.Mutex
	listener channel.Listener // nil: not started
	cancel   context.CancelFunc
	idle     chan struct{} // closed when the last worker is gone
}

// offer is an operation and who does it. A module has a handful of them: looking through them is faster than hashing a name.
type offer struct {
	operation string
	handler   handler
}

// handler does the work of one operation. It returns the body of the answer and the fault that is in it, if any; without a body,
// why the request can't be read.
type handler func(ctx context.Context, s *Server, m *channel.Message) (any, error)

// NewServer returns the incoming side of a module. Register its operations with Handle, then Start it.
func NewServer(l channel.Layer, module string, o ServerOptions) *Server {
	if o.Workers <= 0 {
		o.Workers = DefaultWorkers
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{layer: l, module: module, options: o, direct: map[string]any{}}
}

// Handle registers the function that does an operation. All registrations come before Start.
func Handle[Req, Resp any](s *Server, op *Op[Req, Resp], do func(context.Context, Req) (Resp, error)) {
	if op.err != nil {
		s.err = errors.Join(s.err, op.err)
		return
	}
	if op.channel != s.module+".request" {
		s.err = errors.Join(s.err, fmt.Errorf("operation %s is not of module %s", op.name, s.module))
		return
	}
	s.direct[op.name] = function[Req, Resp](func(ctx context.Context, req Req) (Resp, *fault.Error) {
		return invoke(ctx, s, op.name, do, req)
	})
	s.offers = append(s.offers, offer{op.name, func(ctx context.Context, s *Server, m *channel.Message) (any, error) {
		switch body := m.Body.(type) {
		case *call[Req, Resp]:
			body.resp, body.fault = invoke(ctx, s, op.name, do, body.req)
			if body.fault == nil {
				if f := copyWith(&op.resp, &body.resp); f != nil {
					body.fault = f.WithOutcome(fault.Executed)
				}
			}
			if body.fault != nil {
				return body, body.fault
			}
			return body, nil
		case []byte:
			var req Req
			if err := decode(op.asked, body, &req); err != nil {
				return nil, fmt.Errorf("decode the request: %w", err)
			}
			resp, f := invoke(ctx, s, op.name, do, req)
			answer, err := encode(op.told, &envelope[Resp]{resp, f})
			if err != nil {
				f = fault.From(err).WithOutcome(fault.Executed).Portable()
				answer, err = encode(codec{}, &envelope[struct{}]{Fault: f})
			}
			if f != nil {
				err = f
			}
			return answer, err
		default:
			return nil, fmt.Errorf("a request of type %T", m.Body)
		}
	}})
}

// handler returns who does an operation, or nil.
func (s *Server) handler(operation string) handler {
	for i := range s.offers {
		if s.offers[i].operation == operation {
			return s.offers[i].handler
		}
	}
	return nil
}

// invoke runs a handler and turns its error into what crosses the boundary.
func invoke[Req, Resp any](ctx context.Context, s *Server, name string, do func(context.Context, Req) (Resp, error), req Req) (Resp, *fault.Error) {
	resp, err := do(ctx, req)
	if err == nil {
		return resp, nil
	}
	f := fault.From(err)
	outcome := fault.Executed
	switch f.Kind {
	case fault.Internal, fault.Unavailable, fault.Timeout:
		outcome = fault.Unknown // it broke on the way; only the body could tell how far it came
	}
	if f.Kind == fault.Internal {
		s.options.Log.ErrorContext(ctx, "internal fault", "operation", name, "error", err)
	}
	return resp, f.WithOutcome(outcome).Portable()
}

// Start listens and starts the workers. It fails if an operation's types can't cross a boundary, and when called twice.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if s.listener != nil {
		return fmt.Errorf("module %s is started already", s.module)
	}
	l, err := s.layer.Listen(s.module + ".request")
	if err != nil {
		return err
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.listener, s.cancel, s.idle = l, cancel, make(chan struct{})
	serve(s.layer, s.direct)
	var workers sync.WaitGroup
	for range s.options.Workers {
		workers.Go(func() { s.work(base, l) })
	}
	go func() {
		workers.Wait()
		cancel()
		close(s.idle)
	}()
	return nil
}

// Stop takes no more calls, finishes what runs and what is queued, and returns when the last worker is gone, or when ctx is
// done: then the contexts of the running handlers are cancelled and what is still queued is refused with
// channel.ErrNoReceiver. It may be called twice, and before Start.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	listener, cancel, idle := s.listener, s.cancel, s.idle
	s.mu.Unlock()
	if listener == nil {
		return nil
	}
	leave(s.layer, s.direct)
	listener.Close() // from now on calls are refused with ErrNoReceiver, and workers find no more than what is queued
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	cancel()
	select {
	case <-idle:
		return nil
	default:
		return fmt.Errorf("stop module %s: %w", s.module, ctx.Err())
	}
}

// work handles messages until the server is stopped and the channel is drained.
func (s *Server) work(base context.Context, l channel.Listener) {
	h := channel.NewHandlings(base)
	defer h.Close()
	for l.Receive(nil, &h.Message) == nil {
		s.serve(h, l)
	}
	for {
		var ok bool
		if h.Message, ok = l.Poll(); !ok {
			return
		}
		s.serve(h, l)
	}
}

// serve answers one message.
func (s *Server) serve(h *channel.Handlings, l channel.Listener) {
	if s.options.Observe != nil {
		s.observe(h, l)
		return
	}
	body, _ := s.handle(h)
	s.answer(h, l, body)
}

// answer lets the next message of the lane go on before the caller does.
func (s *Server) answer(h *channel.Handlings, l channel.Listener, body any) {
	l.Handled(&h.Message)
	h.Message.Body = nil // a worker that waits holds on to nobody's
	s.layer.Reply(h.Message.Header.ReplyTo, body)
}

// observe does what serve does, and tells of it.
func (s *Server) observe(h *channel.Handlings, l channel.Listener) {
	told := Handled{Operation: h.Message.Header.Operation, From: h.Message.Header.From, Waited: h.Message.Waited}
	begin := time.Now()
	var body any
	body, told.Err = s.handle(h)
	told.Took = time.Since(begin)
	s.answer(h, l, body)
	s.options.Observe(told)
}

// handle returns the body of the answer to a message and the fault that is in it, if any. A panic becomes a fault of this call
// alone. What is left when Stop's time is up is refused.
func (s *Server) handle(h *channel.Handlings) (body any, err error) {
	m := &h.Message
	if h.Stopped() != nil {
		return s.failure(m, channel.ErrNoReceiver)
	}
	do := s.handler(m.Header.Operation)
	if do == nil {
		return s.failure(m, ErrUnknownOperation.Saying("module %s has no operation %q", s.module, m.Header.Operation))
	}
	ctx := h.Begin()
	defer func() {
		if p := recover(); p != nil {
			s.options.Log.ErrorContext(ctx, "panic in a handler", "operation", m.Header.Operation, "panic", p, "stack", string(debug.Stack()))
			body, err = s.failure(m, fault.ErrInternal)
		}
		h.End()
	}()
	if body, err = do(ctx, s, m); body == nil {
		s.options.Log.ErrorContext(ctx, "unreadable message", "operation", m.Header.Operation, "from", m.Header.From, "error", err)
		return s.failure(m, fault.ErrInternal.WithOutcome(fault.NotExecuted))
	}
	return body, err
}

// failure is the answer to a message that no handler answered, encoded if its body was.
func (s *Server) failure(m *channel.Message, f *fault.Error) (any, error) {
	if _, encoded := m.Body.([]byte); encoded {
		body, _ := encode(codec{}, &envelope[struct{}]{Fault: f}) // a fault always encodes
		return body, f
	}
	return f, f
}
