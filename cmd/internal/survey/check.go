package survey

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"cutpoint/cmd/internal/fences"
	"cutpoint/cmd/internal/shop"
)

// Limits are what is still fit for an edge that may become a hop between machines.
type Limits struct {
	CallsPerOrder float64       // of one operation
	P99           time.Duration // of one edge
}

// Report is the answer to "could this module leave today?".
type Report struct {
	Module   shop.Description
	In, Out  []Edge
	Source   bool     // whether the source was looked at
	Findings []string // what would hurt, in the order of the list in Check
	survey   Survey
}

// Check reports on one module. It finds values that can't cross a wire; operations that are not safe to repeat; a circle of calls;
// where a shop was asked, edges with too many calls an order or too slow; and what the fences find in the module's source. broken
// is the last of these, as fences.Check returns it, and source tells whether it was asked.
func (s Survey) Check(module string, limits Limits, source bool, broken []fences.Finding) (Report, error) {
	at := slices.IndexFunc(s.Modules, func(m shop.Description) bool { return m.Name == module })
	if at < 0 {
		return Report{}, fmt.Errorf("there is no module %q, only %s", module, strings.Join(shop.Modules(), ", "))
	}
	r := Report{Module: s.Modules[at], Source: source, survey: s}
	for _, o := range r.Module.Operations {
		if o.Err != nil {
			r.find("%s can't cross a wire: %v", o.Name, o.Err)
		}
		if !o.Keyed {
			r.find("%s is not safe to repeat: its request names no key", o.Name)
		}
	}
	if circle := s.circle([]string{module}); circle != nil {
		r.find("its calls go in a circle: %s", strings.Join(circle, " -> "))
	}
	for _, e := range s.Edges() {
		switch module {
		case e.From:
			r.Out = append(r.Out, e)
		case e.To:
			r.In = append(r.In, e)
		default:
			continue
		}
		r.judge(e, limits)
	}
	for _, f := range fences.Of(module, broken) {
		r.find("%s:%d: [%s] %s", f.File, f.Line, f.Rule, f.What)
	}
	return r, nil
}

func (r *Report) find(what string, args ...any) {
	r.Findings = append(r.Findings, fmt.Sprintf(what, args...))
}

// judge holds an edge against the limits.
func (r *Report) judge(e Edge, limits Limits) {
	for _, o := range e.Operations {
		if n, known := r.survey.perOrder(o.Name, o.Count); known && n > limits.CallsPerOrder {
			r.find("%s calls %s %.3g times an order, more than %.3g: each would be a hop", e.From, o.Name, n, limits.CallsPerOrder)
		}
	}
	if e.P99 > limits.P99 {
		r.find("%s waits %v for %s at p99, more than %v: a hop comes on top", e.From, e.P99, e.To, limits.P99)
	}
}

// circle returns the way along calls back to where a trail began, nil if there is none.
func (s Survey) circle(trail []string) []string {
	for _, e := range s.Edges() {
		switch {
		case e.From != trail[len(trail)-1]:
		case e.To == trail[0]:
			return append(trail, e.To)
		case !slices.Contains(trail, e.To):
			if found := s.circle(append(slices.Clone(trail), e.To)); found != nil {
				return found
			}
		}
	}
	return nil
}

// Print writes the report: what the module is, its edges, and the verdict.
func (r Report) Print(w io.Writer) error {
	m := r.Module
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "module\t%s\n", m.Name)
	fmt.Fprintf(t, "contract\t%s, %d operations\n", m.Contract, len(m.Operations))
	fmt.Fprintf(t, "feeds\t%s\n", list(feeds(m)))
	fmt.Fprintf(t, "tables\t%s\n", list(m.Tables))
	fmt.Fprintf(t, "migration\t%s\n", m.Migration)
	fmt.Fprintln(t, "\nEDGE\tOPERATION\tCALLS\tPER ORDER\tP99")
	for _, e := range slices.Concat(r.In, r.Out) {
		for _, o := range e.Operations {
			r.row(t, e, o)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var b strings.Builder
	if len(r.survey.Live) == 0 {
		b.WriteString("\nnot measured: --url and --key of a running shop add calls, calls per order and latencies\n")
	}
	if !r.Source {
		b.WriteString("\nthe source was not looked at: --source names a checkout of it, for what only the fences see\n")
	}
	b.WriteString("\n")
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "finding: %s\n", f)
	}
	if len(r.Findings) == 0 {
		fmt.Fprintf(&b, "%s is ready\n", m.Name)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) row(w io.Writer, e Edge, o Asked) {
	calls, perOrder, p99 := "-", "-", "-"
	if len(r.survey.Live) > 0 {
		calls = fmt.Sprint(o.Count)
		if n, known := r.survey.perOrder(o.Name, o.Count); known {
			perOrder = fmt.Sprintf("%.3g", n)
		}
	}
	if o.Count > 0 {
		p99 = o.P99.String()
	}
	fmt.Fprintf(w, "%s -> %s\t%s\t%s\t%s\t%s\n", e.From, e.To, o.Name, calls, perOrder, p99)
}
