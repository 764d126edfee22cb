package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime/debug"
	"sync"

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
}

// Server answers the calls to one module with a fixed pool of workers.
type Server struct {
	layer    channel.Layer
	encodes  bool
	module   string
	options  ServerOptions
	handlers map[string]handler
	direct   map[string]any // the same without messages, for NewDirect
	err      error

	mu       sync.Mutex
	listener channel.Listener // nil: not started
	cancel   context.CancelFunc
	idle     chan struct{} // closed when the last worker is gone
}

// handler does the work of one operation and returns the body of the answer.
type handler func(ctx context.Context, s *Server, m *channel.Message) (any, error)

// NewServer returns the incoming side of a module. Register its operations with Handle, then Start it.
func NewServer(l channel.Layer, module string, o ServerOptions) *Server {
	if o.Workers <= 0 {
		o.Workers = DefaultWorkers
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{layer: l, encodes: l.Info().Encodes, module: module, options: o, handlers: map[string]handler{}, direct: map[string]any{}}
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
	s.handlers[op.name] = func(ctx context.Context, s *Server, m *channel.Message) (any, error) {
		switch body := m.Body.(type) {
		case *call[Req, Resp]:
			resp, f := invoke(ctx, s, op.name, do, body.req)
			body.resp, body.fault = resp, f
			if op.resp != nil {
				op.resp(reflect.ValueOf(&body.resp).Elem())
			}
			return body, nil
		case []byte:
			var req Req
			if err := json.Unmarshal(body, &req); err != nil {
				return nil, fmt.Errorf("decode the request: %w", err)
			}
			resp, f := invoke(ctx, s, op.name, do, req)
			answer, err := encode(envelope[Resp]{resp, f})
			if f := fault.From(err); f != nil {
				return encode(envelope[struct{}]{Fault: f.WithOutcome(fault.Executed).Portable()})
			}
			return answer, nil
		default:
			return nil, fmt.Errorf("a request of type %T", m.Body)
		}
	}
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
	var contexts channel.Handlings
	var m channel.Message // one for all, since handlers get a pointer to it
	var err error
	for {
		if m, err = l.Receive(nil); err != nil {
			break
		}
		s.handle(contexts.New(base, &m.Header), &m)
		m = channel.Message{}
	}
	for {
		var ok bool
		if m, ok = l.Poll(); !ok {
			return
		}
		if base.Err() != nil {
			s.fail(&m, channel.ErrNoReceiver)
			continue
		}
		s.handle(contexts.New(base, &m.Header), &m)
	}
}

// handle answers one message. A panic becomes a fault of this call alone.
func (s *Server) handle(ctx *channel.Handling, m *channel.Message) {
	defer func() {
		p := recover()
		ctx.End()
		if p != nil {
			s.options.Log.ErrorContext(ctx, "panic in a handler", "operation", m.Header.Operation, "panic", p, "stack", string(debug.Stack()))
			s.fail(m, fault.ErrInternal)
		}
	}()
	do, ok := s.handlers[m.Header.Operation]
	if !ok {
		s.fail(m, ErrUnknownOperation.Saying("module %s has no operation %q", s.module, m.Header.Operation))
		return
	}
	body, err := do(ctx, s, m)
	if err != nil {
		s.options.Log.ErrorContext(ctx, "unreadable message", "operation", m.Header.Operation, "from", m.Header.From, "error", err)
		s.fail(m, fault.ErrInternal.WithOutcome(fault.NotExecuted))
		return
	}
	s.reply(m, body)
}

// fail answers a message that no handler answered.
func (s *Server) fail(m *channel.Message, f *fault.Error) {
	var body any = f
	if s.encodes {
		body, _ = encode(envelope[struct{}]{Fault: f}) // a fault always encodes
	}
	s.reply(m, body)
}

func (s *Server) reply(m *channel.Message, body any) {
	s.layer.Reply(m.Header.ReplyTo, body)
}
