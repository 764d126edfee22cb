package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/alecthomas/kong"

	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/fences"
	"cutpoint/cmd/internal/shop"
	"cutpoint/cmd/internal/survey"
)

type modulesCommand struct {
	Graph    graphFormat   `help:"Print the graph of who calls whom, as Mermaid; --graph=dot for Graphviz." placeholder:"FORMAT"`
	Check    string        `help:"Report whether a module could leave today; exit status 1 if something is found." placeholder:"NAME"`
	URL      string        `help:"A running shop, whose figures are to be shown." placeholder:"URL"`
	Key      string        `help:"API key for it, with the scope ops." placeholder:"KEY"`
	Source   string        `help:"A checkout of the source, for what --check finds in it; passed over if it is none." default:"." type:"path"`
	MaxCalls float64       `help:"How often an operation may be called for an order." default:"2"`
	MaxP99   time.Duration `name:"max-p99" help:"How long a module may wait for another one at the 99th percentile." default:"500ms"`
}

// graphFormat is a flag that means Mermaid when nothing is said with it.
type graphFormat string

// IsBool lets the flag stand alone. A value is joined to it by "=".
func (*graphFormat) IsBool() bool { return true }

// Decode implements kong.MapperValue.
func (g *graphFormat) Decode(ctx *kong.DecodeContext) error {
	*g = "mermaid"
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		return nil
	}
	format, _ := ctx.Scan.Pop().Value.(string)
	if *g = graphFormat(format); *g != "mermaid" && *g != "dot" {
		return fmt.Errorf("the graph can be had as mermaid or dot, not as %q", format)
	}
	return nil
}

// Run prints the table, the graph or the report.
func (c *modulesCommand) Run(ctx context.Context, t terminal) error {
	modules, err := shop.Describe()
	if err != nil {
		return err
	}
	s := survey.Survey{Modules: modules}
	if c.Check != "" && c.Graph != "" {
		return errors.New("--graph and --check are two questions: ask one at a time")
	}
	if c.URL != "" {
		var live struct{ Data []shop.LiveModule }
		if _, err := client.New(c.URL, c.Key, 1).Do(ctx, http.MethodGet, "/v1/ops/modules", nil, &live); err != nil {
			return err
		}
		s.Live = live.Data
	}
	switch {
	case c.Check != "":
		return c.check(s, t)
	case c.Graph == "mermaid":
		return s.Mermaid(t.Out)
	case c.Graph == "dot":
		return s.DOT(t.Out)
	}
	return s.Table(t.Out)
}

func (c *modulesCommand) check(s survey.Survey, t terminal) error {
	var broken []fences.Finding
	source := fences.IsTree(c.Source)
	if source {
		var err error
		if broken, err = fences.Check(c.Source); err != nil {
			return fmt.Errorf("look at the source in %s: %w", c.Source, err)
		}
	}
	r, err := s.Check(c.Check, survey.Limits{CallsPerOrder: c.MaxCalls, P99: c.MaxP99}, source, broken)
	if err != nil {
		return err
	}
	if err := r.Print(t.Out); err != nil {
		return err
	}
	if n := len(r.Findings); n > 0 {
		return fmt.Errorf("%s is not ready: %d findings", c.Check, n)
	}
	return nil
}
