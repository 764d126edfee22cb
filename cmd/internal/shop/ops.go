package shop

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"cutpoint/platform/auth"
	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/rpc"
	"cutpoint/platform/telemetry"
	"cutpoint/platform/web"
)

// Where a module runs, as seen from this process.
const (
	InProcess = "in_process"
	Remote    = "remote"
)

// LiveModule is what this process knows of a module at present. Figures count from the start of the process.
type LiveModule struct {
	Name     string       `json:"name" example:"inventory"`
	Runs     string       `json:"runs" enum:"in_process,remote" doc:"In this process, or in another one"`
	Version  string       `json:"version" doc:"Of the program that runs it; of this process's for a remote module: what it expects to find"`
	Channel  *LiveChannel `json:"channel,omitempty" doc:"The module's queue; absent if it is not in this process"`
	Store    *LiveStore   `json:"store,omitempty" doc:"The module's datastore; absent if it is not in this process"`
	CalledBy []LiveEdge   `json:"called_by" doc:"Calls to it that this process made, one entry for each caller"`
}

// LiveChannel are the figures of a module's queue.
type LiveChannel struct {
	Depth    int    `json:"depth" doc:"Calls that wait now"`
	Capacity int    `json:"capacity" doc:"Of how many at most; further ones are refused"`
	OldestUS int64  `json:"oldest_us" doc:"How long the first of them has waited, in microseconds"`
	Received uint64 `json:"received" doc:"Calls that a worker has taken"`
	Full     uint64 `json:"full" doc:"Calls refused at capacity"`
	Expired  uint64 `json:"expired" doc:"Calls dropped because nobody waited for them any more"`
}

// LiveStore are the figures of a datastore.
type LiveStore struct {
	Commits uint64 `json:"commits"`
	Writes  uint64 `json:"writes" doc:"Writes in them: those that come at once share a commit"`
	Failed  uint64 `json:"failed"`
}

// LiveEdge are the calls of one module to another. The caller "http" is the HTTP API.
type LiveEdge struct {
	From string `json:"from" example:"orders"`
	LiveCalls
	Operations []LiveOperation `json:"operations"`
}

// LiveOperation are the calls of one module to an operation of another.
type LiveOperation struct {
	Name string `json:"name" example:"inventory.reserve"`
	LiveCalls
}

// LiveCalls are figures of calls. Latencies are those that the caller saw, within 3.2 %.
type LiveCalls struct {
	Count  uint64            `json:"count"`
	Errors map[string]uint64 `json:"errors" doc:"Those that failed, by code; a refusal for a good reason is one of them"`
	P50US  int64             `json:"p50_us" doc:"Median latency in microseconds"`
	P99US  int64             `json:"p99_us"`
}

// count is told of every call between modules, and tells whoever else wants to know.
func (s *Shop) count(also func(rpc.Observation)) func(rpc.Observation) {
	return func(o rpc.Observation) {
		code := ""
		if o.Err != nil {
			code = fault.From(o.Err).Code
		}
		s.calls.Record(o.From, o.Operation, o.Took, code)
		if also != nil {
			also(o)
		}
	}
}

// runs tells where a module runs.
func (s *Shop) runs(module string) string {
	if s.Runs(module) {
		return InProcess
	}
	return Remote
}

// Live tells how the modules are, in the order of Modules.
func (s *Shop) Live() []LiveModule {
	queues, stores, calls := s.Channels(), s.liveStores(), s.calls.Read()
	var list []LiveModule
	for _, name := range Modules() {
		m := LiveModule{Name: name, Runs: s.runs(name), Version: s.version, Store: stores[name], CalledBy: edgesTo(name, calls)}
		if i := slices.IndexFunc(queues, func(q channel.Stats) bool { return q.Name == name+".request" }); i >= 0 && m.Runs == InProcess {
			q := queues[i]
			m.Channel = &LiveChannel{q.Depth, q.Capacity, q.Oldest.Microseconds(), q.Received, q.Full, q.Expired}
		}
		list = append(list, m)
	}
	return list
}

func (s *Shop) liveStores() map[string]*LiveStore {
	stores := map[string]*LiveStore{}
	for _, m := range s.Running() {
		f := m.StoreStats()
		stores[m.Name] = &LiveStore{f.Commits, f.Writes, f.Failed}
	}
	return stores
}

// edgesTo sums up the calls to a module, which come sorted by caller.
func edgesTo(module string, calls []telemetry.CallStats) []LiveEdge {
	edges := []LiveEdge{}
	took := &telemetry.Distribution{}
	for _, c := range calls {
		if to, _, _ := strings.Cut(c.Operation, "."); to != module {
			continue
		}
		if len(edges) == 0 || edges[len(edges)-1].From != c.From {
			edges = append(edges, LiveEdge{From: c.From, LiveCalls: LiveCalls{Errors: map[string]uint64{}}})
			took = &telemetry.Distribution{}
		}
		e := &edges[len(edges)-1]
		e.Operations = append(e.Operations, LiveOperation{c.Operation, liveCalls(c.Took, maps.Clone(c.Failed))})
		took.Add(c.Took)
		for code, n := range c.Failed {
			e.Errors[code] += n
		}
		e.LiveCalls = liveCalls(took, e.Errors)
	}
	return edges
}

func liveCalls(took *telemetry.Distribution, failed map[string]uint64) LiveCalls {
	us := func(d time.Duration) int64 { return d.Microseconds() }
	return LiveCalls{took.Count(), failed, us(took.Quantile(0.5)), us(took.Quantile(0.99))}
}

type liveOutput struct {
	Body struct {
		Data []LiveModule `json:"data"`
	}
}

// registerOps lays the routes that tell of the shop itself.
func registerOps(a *web.API, live func() []LiveModule) {
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/ops/modules", ID: "list-modules", Tag: "Operations", Scopes: []string{auth.Ops},
		Summary: "List the modules: where each runs, its queue, its datastore and the calls to it",
		Description: "Figures are those of this process since its start. `cutpoint modules --url` shows them as a table, a graph, or a report on a " +
			"module that is to move out.",
	}, func(context.Context, *struct{}) (*liveOutput, error) {
		out := &liveOutput{}
		out.Body.Data = slices.SortedStableFunc(slices.Values(live()), func(a, b LiveModule) int { return cmp.Compare(a.Name, b.Name) })
		return out, nil
	})
}
