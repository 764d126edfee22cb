package web

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Raw is embedded in the input of a route that takes a message of a stranger as it comes: nothing is decoded or checked, since a
// signature covers every byte. A body is required.
type Raw struct {
	Headers map[string]string // names in lower case; of those that came several times the last one
	RawBody []byte            `contentType:"*/*"` // valid until the handler returns
}

// Resolve implements huma.Resolver.
func (r *Raw) Resolve(c huma.Context) []error {
	r.Headers = map[string]string{}
	c.EachHeader(func(name, value string) { r.Headers[strings.ToLower(name)] = value })
	return nil
}
