package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Bounds of a connection. A handler's own deadline is Options.RequestTimeout; the server's must leave room for it.
const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// Server serves an API on one address.
type Server struct {
	listener net.Listener
	http     *http.Server
	served   chan error
}

// Listen binds the address ("127.0.0.1:8080"; port 0 takes a free one) and begins to serve.
func Listen(addr string, a *API) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &Server{
		listener: l,
		http: &http.Server{
			Handler:           a,
			ReadHeaderTimeout: readHeaderTimeout,
			ReadTimeout:       a.options.RequestTimeout,
			WriteTimeout:      2 * a.options.RequestTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
		},
		served: make(chan error, 1),
	}
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.served <- err
		}
	}()
	return s, nil
}

// Addr is the address that was bound.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Failed delivers the error that ended the server before it was stopped.
func (s *Server) Failed() <-chan error { return s.served }

// Stop takes no more connections and waits for the requests that run, until ctx is done.
func (s *Server) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	return err
}
