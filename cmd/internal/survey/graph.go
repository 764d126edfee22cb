package survey

import (
	"fmt"
	"io"
	"strings"
)

// Mermaid prints the graph as a Mermaid flowchart: an arrow from a module to each that it calls, with the operations.
func (s Survey) Mermaid(w io.Writer) error {
	return s.graph(w, "flowchart LR\n", "    %s[%s]\n", `    %s -->|"%s"| %s`+"\n", "<br/>", "")
}

// DOT prints the graph in the language of Graphviz.
func (s Survey) DOT(w io.Writer) error {
	return s.graph(w, "digraph modules {\n\trankdir=LR\n", "\t%s [shape=box label=%q]\n", "\t%s -> %[3]s [label=\"%[2]s\"]\n", `\l`, "}\n")
}

// graph prints nodes and edges. Names of modules and operations hold nothing that either language would have to escape.
func (s Survey) graph(w io.Writer, begin, node, edge, newLine, end string) error {
	var b strings.Builder
	b.WriteString(begin)
	for _, m := range s.Modules {
		fmt.Fprintf(&b, node, m.Name, m.Name)
	}
	for _, e := range s.Edges() {
		lines := []string{}
		if len(s.Live) > 0 {
			lines = append(lines, s.figures("", e.Measured))
		}
		for _, o := range e.Operations {
			_, name, _ := strings.Cut(o.Name, ".")
			if o.Count > 0 {
				name += ": " + s.figures(o.Name, o.Measured)
			}
			lines = append(lines, name)
		}
		fmt.Fprintf(&b, edge, e.From, strings.Join(lines, newLine), e.To)
	}
	b.WriteString(end)
	_, err := io.WriteString(w, b.String())
	return err
}

// figures are calls, calls per order where that can be told, and p99.
func (s Survey) figures(operation string, m Measured) string {
	text := fmt.Sprintf("%d calls", m.Count)
	if operation != "" {
		if n, known := s.perOrder(operation, m.Count); known {
			text += fmt.Sprintf(", %.3g an order", n)
		}
	}
	if m.Count > 0 {
		text += fmt.Sprintf(", p99 %v", m.P99)
	}
	return text
}
