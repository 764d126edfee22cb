package contracttest

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cutpoint/platform/rpc"
)

// A contract of one operation, as it was released.

type packRequest struct {
	OrderID string           `json:"order_id"`
	Lines   []line           `json:"lines"`
	Labels  map[string]int64 `json:"labels"`
	Note    *string          `json:"note"`
}

type line struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

type parcel struct {
	Weight int64     `json:"weight"`
	Until  time.Time `json:"until"`
	Seal   []byte    `json:"seal,omitempty"`
}

// client is a client of the operation "parcels.pack" for any two messages.
type client[Req, Resp any] struct {
	caller *rpc.Caller
	op     *rpc.Op[Req, Resp]
}

func (c client[Req, Resp]) Pack(ctx context.Context, r Req) (Resp, error) {
	return c.op.Call(ctx, c.caller, r)
}

func named[Req, Resp any](operation string) func(*rpc.Caller) client[Req, Resp] {
	op := rpc.Define[Req, Resp]("parcels", operation)
	return func(c *rpc.Caller) client[Req, Resp] { return client[Req, Resp]{c, op} }
}

// wider is a client of a later version, with an operation more.
type wider struct{ client[packRequest, parcel] }

var unpack = rpc.Define[parcel, packRequest]("parcels", "unpack")

func (c wider) Unpack(ctx context.Context, r parcel) (packRequest, error) {
	return unpack.Call(ctx, c.caller, r)
}

const source = `package parcels

const Sent, hidden = "sent", "hidden"

const MaxLines = 3

var ErrEmpty = fault.New(fault.NotFound, "parcels.empty", "nothing to pack").WithRetryAfter(time.Second).WithOutcome(fault.NotExecuted)

var pattern, _ = regexp.MustCompile("x"), other(1)
`

// TestChecks makes each change to the contract after the other, and wants to hear of it.
func TestChecks(t *testing.T) {
	type floating struct {
		Weight string    `json:"weight"`
		Until  time.Time `json:"until"`
		Seal   []byte    `json:"seal"`
	}
	type narrow struct {
		SKU      string `json:"sku"`
		Quantity int32  `json:"quantity"`
	}
	type renamed struct {
		SKU      string `json:"sku"`
		Quantity int64  `json:"count"`
	}
	type note struct {
		Text string `json:"text"`
	}
	type request[L, N any] struct {
		OrderID string           `json:"order_id"`
		Lines   []L              `json:"lines"`
		Labels  map[string]int64 `json:"labels"`
		Note    N                `json:"note"`
	}
	type unlabelled struct {
		OrderID string  `json:"order_id"`
		Lines   []line  `json:"lines"`
		Note    *string `json:"note"`
	}
	type lineOnly struct {
		OrderID string           `json:"order_id"`
		Lines   line             `json:"lines"`
		Labels  map[string]int64 `json:"labels"`
		Note    *string          `json:"note"`
	}
	type More struct {
		Gift bool `json:"gift"`
	}
	type more struct {
		More
		OrderID string           `json:"order_id"`
		Lines   []line           `json:"lines"`
		Labels  map[string]int64 `json:"labels"`
		Note    *string          `json:"note"`
	}
	same := named[packRequest, parcel]("pack")
	text := func(from, to string) string {
		if !strings.Contains(source, from) {
			t.Fatalf("the source does not say %q", from)
		}
		return strings.Replace(source, from, to, 1)
	}
	old := golden(t, source, same)
	for name, c := range map[string]struct {
		broken, fresh []string
		err           error
		says          string // part of the first sentence; "" if nothing is broken
		new           string // the files that have something new
	}{
		"nothing":            run(t, old, source, same, "", ""),
		"a json tag renamed": run(t, old, source, named[request[renamed, *string], parcel]("pack"), `in the request of "pack", "lines.0.quantity" is gone or has another name: callers of the last release still send`, "pack.request.json"),
		"a field removed":    run(t, old, source, named[unlabelled, parcel]("pack"), `in the request of "pack", "labels" is gone`, ""),
		"a type changed":     run(t, old, source, named[packRequest, floating]("pack"), `in the answer of "pack", "weight" has another type or value`, "pack.response.json"),
		"a number narrowed":  run(t, old, source, named[request[narrow, *string], parcel]("pack"), `"lines.0.quantity" has another type`, "pack.request.json"),
		"a value structured": run(t, old, source, named[request[line, note], parcel]("pack"), `"note" has another type`, "pack.request.json"),
		"a list made one":    run(t, old, source, named[lineOnly, parcel]("pack"), `"lines" has another type`, "pack.request.json"),
		"an answer replaced": run(t, old, source, named[packRequest, packRequest]("pack"), `in the answer of "pack", "seal" is gone`, "pack.response.json"),
		"an operation renamed": run(t, old, source, named[packRequest, parcel]("wrap"), `the operation "pack" is gone or has another name: callers of the last release who call it are refused`,
			"wrap.request.json wrap.response.json"),
		"a fault removed":     run(t, old, text(`fault.New(`, `other.New(`), same, `in the faults, "parcels.empty" is gone`, ""),
		"a fault's kind":      run(t, old, text("fault.NotFound", "fault.Conflict"), same, `"parcels.empty.kind" has another type or value: it was NotFound and is Conflict`, "faults.json"),
		"a fault's outcome":   run(t, old, text(".WithOutcome(fault.NotExecuted)", ""), same, `"parcels.empty.outcome" is gone`, ""),
		"a constant changed":  run(t, old, text(`"sent"`, `"posted"`), same, `"Sent" has another type or value: it was sent and is posted`, "values.json"),
		"a constant removed":  run(t, old, text(`Sent,`, `sent,`), same, `in the string constants, "Sent" is gone`, ""),
		"another message":     run(t, old, text("nothing to pack", "there is nothing to pack"), same, "", ""),
		"an optional field":   run(t, old, source, named[more, parcel]("pack"), "", "pack.request.json"),
		"another fault":       run(t, old, source+"\nvar errFull = fault.New(fault.Conflict, \"parcels.full\", \"x\")\n", same, "", "faults.json"),
		"another constant":    run(t, old, text(`hidden = "`, `Shown = "`), same, "", "values.json"),
		"another operation":   run(t, old, source, func(c *rpc.Caller) wider { return wider{same(c)} }, "", "unpack.request.json unpack.response.json"),
		"a code put together": run(t, old, text(`"parcels.empty"`, `"parcels."+empty`), same, "written out", ""),
	} {
		t.Run(name, func(t *testing.T) {
			if c.err != nil {
				c.broken = []string{c.err.Error()}
			}
			switch {
			case c.says == "" && len(c.broken) > 0:
				t.Errorf("it breaks nobody, and it says %q", c.broken)
			case c.says != "" && (len(c.broken) == 0 || !strings.Contains(c.broken[0], c.says)):
				t.Errorf("it says %q, and not %q", c.broken, c.says)
			}
			if fresh := strings.Join(c.fresh, " "); fresh != c.new {
				t.Errorf("new is %q, and not %q", fresh, c.new)
			}
		})
	}
}

// golden returns the files of a contract that has none yet.
func golden[C any](t *testing.T, source string, client func(*rpc.Caller) C) map[string][]byte {
	t.Helper()
	broken, fresh, err := check(written(t, source), nil, "parcels", client)
	if err != nil || len(broken) > 0 {
		t.Fatal(broken, err)
	}
	dir := filepath.Join(t.TempDir(), "golden")
	if err := write(dir, fresh); err != nil {
		t.Fatal(err)
	}
	files, err := read(dir)
	if err != nil || len(files) != 4 {
		t.Fatal(files, err)
	}
	return files
}

func run[C any](t *testing.T, old map[string][]byte, source string, client func(*rpc.Caller) C, says, fresh string) (r struct {
	broken, fresh []string
	err           error
	says          string
	new           string
}) {
	t.Helper()
	var files map[string][]byte
	r.broken, files, r.err = check(written(t, source), old, "parcels", client)
	r.fresh, r.says, r.new = slices.Sorted(maps.Keys(files)), says, fresh
	return r
}

func written(t *testing.T, source string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "parcels.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSurvives reads golden files with a type of today: what is in them must be known, and be there when it is sent on.
func TestSurvives(t *testing.T) {
	o, err := Operations("parcels", named[packRequest, parcel]("pack"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, says string }{
		"all of it":     {string(o[0].Request), ""},
		"less":          {`{"order_id": "ord_1"}`, ""},
		"unknown":       {`{"order_id": "ord_1", "colour": "red"}`, `unknown field "colour"`},
		"too large":     {`{"lines": [{"quantity": 9223372036854775808}]}`, "cannot unmarshal number"},
		"another shape": {`{"lines": {}}`, "cannot unmarshal object"},
		"another case":  {`{"Order_ID": "ord_1"}`, `"Order_ID" was lost`},
	} {
		t.Run(name, func(t *testing.T) {
			err := survives([]byte(c.text), o[0].request)
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, not %q", err, c.says)
			}
		})
	}
}

// TestPass carries the messages of a later version, and of a strange one, through the contract.
func TestPass(t *testing.T) {
	old := named[packRequest, parcel]("pack")
	o, err := Operations("parcels", old)
	if err != nil {
		t.Fatal(err)
	}
	later := Operation{Name: "parcels.pack", Request: []byte(`{"order_id": "ord_1", "gift": true}`), Response: []byte(`{"weight": 3, "colour": "red"}`)}
	strange := Operation{Name: "parcels.wrap", Request: []byte(`{}`), Response: []byte(`{}`)}
	bad := Operation{Name: "parcels.pack", Request: []byte(`{"order_id": 3}`), Response: []byte(`{}`)}
	worse := Operation{Name: "parcels.pack", Request: []byte(`{}`), Response: []byte(`{"weight": "3"}`)}
	passed, err := Pass("parcels", func(s *rpc.Server, c *rpc.Caller) {
		cl := old(c)
		rpc.Handle(s, cl.op, cl.Pack)
	}, append(o, later, strange, bad, worse))
	if err != nil {
		t.Fatal(err)
	}
	if p := passed[0]; len(Differences(o[0].Request, p.Request))+len(Differences(o[0].Response, p.Response)) > 0 || p.Refused != "" {
		t.Errorf("what it understands became %+v", p)
	}
	if p := passed[1]; p.Refused != "" || strings.Contains(string(p.Request), "gift") || !strings.Contains(string(p.Request), "ord_1") ||
		strings.Contains(string(p.Response), "red") || !strings.Contains(string(p.Response), `"weight":3`) {
		t.Errorf("what a later version says became %s and %s (%s)", p.Request, p.Response, p.Refused)
	}
	for i, says := range []string{"rpc_unknown_operation", "internal", "internal"} {
		if p := passed[2+i]; !strings.Contains(p.Refused, says) {
			t.Errorf("%s %s was taken: %+v", p.Name, p.Request, p)
		}
	}
}
