// Package natsserver runs a NATS server inside a program, for a shop that has no other. It weighs as much as all the rest, so
// only cmd/cutpoint links it.
package natsserver

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// readyWithin bounds the start of a server, which takes milliseconds.
const readyWithin = 10 * time.Second

// A client that has not answered two pings, three seconds apart, is taken for gone, unless a configuration says otherwise: until then it gets
// a share of the calls. Our clients look at the server as often.
const (
	pingInterval = 3 * time.Second
	maxPings     = 2
)

// Server is a NATS server of this process.
type Server struct{ *server.Server }

// Start listens on an address ("127.0.0.1:4222"; port 0 takes a free one). A configuration file, as `cutpoint nats-config` writes it, may
// name users and certificates; without one everybody who can reach the address may do everything, so it must be a loopback one.
func Start(addr, config string) (*Server, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("--nats-listen: %w", err)
	}
	o := &server.Options{}
	if config != "" {
		if o, err = server.ProcessConfigFile(config); err != nil {
			return nil, fmt.Errorf("--nats-config: %w", err)
		}
	} else if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("--nats-listen %s: others could reach it and do as they please: say who may do what with --nats-config, see cutpoint nats-config --help", addr)
	}
	probe, err := net.Listen("tcp", addr) // the server would only log that it can't
	if err != nil {
		return nil, fmt.Errorf("--nats-listen: %w", err)
	}
	_ = probe.Close()
	o.Host, o.NoSigs = host, true
	if o.PingInterval == 0 {
		o.PingInterval = pingInterval
	}
	if o.MaxPingsOut == 0 {
		o.MaxPingsOut = maxPings
	}
	if o.Port, err = strconv.Atoi(port); err != nil {
		return nil, fmt.Errorf("--nats-listen: port %q is not a number", port)
	}
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	s, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("start the NATS server: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(readyWithin) {
		s.Shutdown()
		return nil, fmt.Errorf("start the NATS server: it does not listen on %s", addr)
	}
	return &Server{s}, nil
}

// Stop ends the server, and every connection to it.
func (s *Server) Stop() {
	s.Shutdown()
	s.WaitForShutdown()
}
