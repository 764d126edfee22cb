// Package survey shows how the modules of a shop hang together, and whether one of them could leave: a table, a graph, and a
// report on one module. What the code says comes from shop.Describe, figures of a running shop from GET /v1/ops/modules, and what
// only the source shows from package fences. It prints; it asks nobody by itself.
package survey

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"cutpoint/cmd/internal/shop"
)

// place is the operation whose calls are orders.
const place = "orders.place"

// Survey is what is known of the modules.
type Survey struct {
	Modules []shop.Description
	Live    []shop.LiveModule // empty: no shop was asked
}

// Edge are the calls of one module to another. Count, P50 and P99 are measured, if a shop was asked.
type Edge struct {
	From, To   string
	Operations []Asked
	Measured
}

// Asked is one operation on an edge.
type Asked struct {
	Name string
	Measured
}

// Measured are figures of calls; zero without a running shop.
type Measured struct {
	Count    uint64
	Failed   uint64
	P50, P99 time.Duration
}

// Edges returns every edge between modules, in the order of the callers.
func (s Survey) Edges() []Edge {
	var list []Edge
	for _, m := range s.Modules {
		for _, c := range m.Calls {
			live := s.live(m.Name, c.To)
			e := Edge{From: m.Name, To: c.To, Measured: measured(live.LiveCalls)}
			for _, name := range c.Operations {
				a := Asked{Name: name}
				if i := slices.IndexFunc(live.Operations, func(o shop.LiveOperation) bool { return o.Name == name }); i >= 0 {
					a.Measured = measured(live.Operations[i].LiveCalls)
				}
				e.Operations = append(e.Operations, a)
			}
			list = append(list, e)
		}
	}
	return list
}

// live returns what was measured on an edge, nothing if it was not used.
func (s Survey) live(from, to string) shop.LiveEdge {
	for _, m := range s.Live {
		for _, e := range m.CalledBy {
			if m.Name == to && e.From == from {
				return e
			}
		}
	}
	return shop.LiveEdge{}
}

func measured(c shop.LiveCalls) Measured {
	m := Measured{Count: c.Count, P50: time.Duration(c.P50US) * time.Microsecond, P99: time.Duration(c.P99US) * time.Microsecond}
	for _, n := range c.Errors {
		m.Failed += n
	}
	return m
}

// Orders is how many orders customers have asked for, repetitions among them.
func (s Survey) Orders() uint64 {
	for _, o := range s.live("http", "orders").Operations {
		if o.Name == place {
			return o.Count
		}
	}
	return 0
}

// perOrder is how many calls an order costs; feeds are read whether or not there are orders, and nothing is known without any.
func (s Survey) perOrder(operation string, count uint64) (calls float64, known bool) {
	orders := s.Orders()
	if orders == 0 || s.isFeed(operation) {
		return 0, false
	}
	return float64(count) / float64(orders), true
}

func (s Survey) isFeed(operation string) bool {
	for _, m := range s.Modules {
		for _, o := range m.Operations {
			if o.Name == operation {
				return o.Feed
			}
		}
	}
	return false
}

// feeds are the operations by which a module tells what happened.
func feeds(m shop.Description) (names []string) {
	for _, o := range m.Operations {
		if o.Feed {
			names = append(names, o.Name)
		}
	}
	return names
}

// Table prints a line for each module, and below it, if a shop was asked, one for each with what it does at present.
func (s Survey) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MODULE\tCONTRACT\tOPERATIONS\tCALLS\tCALLED BY\tTABLES\tFEEDS\tMIGRATION")
	for _, m := range s.Modules {
		var calls, by []string
		for _, e := range s.Edges() {
			switch m.Name {
			case e.From:
				calls = append(calls, e.To)
			case e.To:
				by = append(by, e.From)
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%d\t%s\t%s\n", m.Name, m.Contract, len(m.Operations), list(calls), list(by), len(m.Tables), list(feeds(m)), m.Migration)
	}
	if len(s.Live) > 0 {
		fmt.Fprintln(t, "\nMODULE\tRUNS\tVERSION\tWAITING\tCAPACITY\tREFUSED\tCOMMITS\tCALLS\tFAILED\tP50\tP99")
		for _, m := range s.Live {
			row(t, m)
		}
	}
	return t.Flush()
}

// row prints what one module does. The latencies of a module are those of its slowest edge.
func row(w io.Writer, m shop.LiveModule) {
	var sum Measured
	for _, e := range m.CalledBy {
		one := measured(e.LiveCalls)
		sum = Measured{sum.Count + one.Count, sum.Failed + one.Failed, max(sum.P50, one.P50), max(sum.P99, one.P99)}
	}
	waiting, capacity, refused, commits := "-", "-", "-", "-"
	if q := m.Channel; q != nil {
		waiting, capacity, refused = fmt.Sprint(q.Depth), fmt.Sprint(q.Capacity), fmt.Sprint(q.Full)
	}
	if m.Store != nil {
		commits = fmt.Sprint(m.Store.Commits)
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%v\t%v\n", m.Name, strings.ReplaceAll(m.Runs, "_", " "), m.Version, waiting, capacity, refused, commits,
		sum.Count, sum.Failed, sum.P50, sum.P99)
}

// list is a cell: names, or a dash.
func list(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ", ")
}
