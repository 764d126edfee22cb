package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"cutpoint/platform/channel"
	"cutpoint/platform/channel/natslayer"
)

// InMemory is the channel layer of modules that all live in one process.
const InMemory = "memory"

// checkBulkheads returns all that is wrong with the settings of single modules.
func (o Options) checkBulkheads() error {
	var errs []error
	for _, setting := range []struct {
		of string
		by map[string]int
	}{{"capacity", o.ModuleCapacity}, {"workers", o.ModuleWorkers}} {
		for _, module := range slices.Sorted(maps.Keys(setting.by)) {
			if !slices.Contains(o.Known, module) {
				errs = append(errs, fmt.Errorf("%s of %q: there is no such module, only %s", setting.of, module, strings.Join(o.Known, ", ")))
			} else if n := setting.by[module]; n < 1 {
				errs = append(errs, fmt.Errorf("%s of %s: at least 1 is needed, not %d", setting.of, module, n))
			}
		}
	}
	return errors.Join(errs...)
}

// newLayer makes the layer that the modules stand on.
func (h *Host) newLayer(ctx context.Context) error {
	o := channel.Options{Capacity: h.options.Capacity, Strict: h.options.Strict}
	for _, module := range slices.Sorted(maps.Keys(h.options.ModuleCapacity)) {
		o.Capacities = append(o.Capacities, channel.CapacityOption{Pattern: module + ".request", Capacity: h.options.ModuleCapacity[module]})
	}
	if err := errors.Join(h.options.checkBulkheads(), o.Check()); err != nil {
		return err
	}
	if h.options.Channel == "" || h.options.Channel == InMemory {
		h.Layer = channel.NewMemory(o)
	} else if err := h.joinNATS(ctx, o); err != nil {
		return fmt.Errorf("--channel %s: %w", redacted(h.options.Channel), err)
	}
	if h.options.Layer != nil {
		h.Layer = h.options.Layer(h.Layer)
	}
	return nil
}

// joinNATS makes a layer over NATS: calls to modules of this process stay in it.
func (h *Host) joinNATS(ctx context.Context, o channel.Options) error {
	nc, err := h.connect(ctx)
	if err != nil {
		return err
	}
	no := natslayer.Options{Options: o, Prefix: h.options.Prefix, User: h.options.User, Log: h.options.Log}
	for _, module := range h.options.Modules {
		no.Hosted = append(no.Hosted, module+".request")
	}
	l, err := natslayer.New(nc, no)
	if err != nil {
		nc.Close()
		return err
	}
	h.Layer, h.far = l, nc
	return nil
}

// DefaultConnectWait is how long a process waits for a NATS server that is not up yet: programs that are started together need no order.
const DefaultConnectWait = 30 * time.Second

const connectPause = 250 * time.Millisecond

// connect tries until there is a server, or until it is no use.
func (h *Host) connect(ctx context.Context) (*nats.Conn, error) {
	wait := h.options.ConnectWait
	if wait <= 0 {
		wait = DefaultConnectWait
	}
	o := h.options.NATS
	o.Log = h.options.Log
	giveUp := time.After(wait)
	for said := false; ; said = true {
		nc, err := natslayer.Connect(h.options.Channel, o)
		if !errors.Is(err, nats.ErrNoServers) {
			return nc, err
		}
		if !said {
			h.options.Log.Warn("the NATS server is not there yet", "wait", wait)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-giveUp:
			return nil, fmt.Errorf("no NATS server answered within %v: %w", wait, err)
		case <-time.After(connectPause):
		}
	}
}

// redacted is a list of URLs without the passwords.
func redacted(channel string) string {
	servers := strings.Split(channel, ",")
	for i, s := range servers {
		u, err := url.Parse(s)
		if err != nil {
			servers[i] = "(not a URL)"
			continue
		}
		servers[i] = u.Redacted()
	}
	return strings.Join(servers, ",")
}
