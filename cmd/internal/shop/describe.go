package shop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"cutpoint/migrations"
	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/modules/webhooks"
	"cutpoint/platform/channel"
	"cutpoint/platform/rpc"
)

// Description is what the code of a module says about it. Nothing in it is written down anywhere else: the contract is read from
// its interfaces, the names of its operations from its client, and who is called from what the door asks for.
type Description struct {
	Name       string
	Contract   string // its version: "v1", or the last part of the contract's path if that is another one
	Operations []Operation
	Calls      []Call   // sorted by module
	Tables     []string // of its datastore
	Migration  string   // the latest
}

// Operation is one operation of a contract.
type Operation struct {
	Name  string // "inventory.reserve"
	Keyed bool   // its request names something by which a repetition can be told, or asks for a page
	Feed  bool   // it hands out events after a position
	Err   error  // why its values can't cross a wire
}

// Call is what a module asks of another one: no more operations than its door takes.
type Call struct {
	To         string
	Operations []string // sorted
}

// blueprint is where a description is read from.
type blueprint struct {
	name      string
	contracts []reflect.Type        // the interfaces
	client    func(*rpc.Caller) any // implements all of them
	deps      reflect.Type          // of the door
}

// blueprints lists the modules in the order of Modules.
func blueprints() []blueprint {
	return []blueprint{
		{
			inventory.Module, []reflect.Type{reflect.TypeFor[inventory.Service]()},
			func(c *rpc.Caller) any { return inventory.NewClient(c) }, reflect.TypeFor[inventoryDeps](),
		},
		{
			pricing.Module, []reflect.Type{reflect.TypeFor[pricing.Service]()},
			func(c *rpc.Caller) any { return pricing.NewClient(c) }, reflect.TypeFor[pricingDeps](),
		},
		{
			payments.Module, []reflect.Type{reflect.TypeFor[payments.Service](), reflect.TypeFor[payments.TestGateway]()},
			func(c *rpc.Caller) any { return payments.NewClient(c) }, reflect.TypeFor[paymentsDeps](),
		},
		{
			orders.Module, []reflect.Type{reflect.TypeFor[orders.Service]()},
			func(c *rpc.Caller) any { return orders.NewClient(c) }, reflect.TypeFor[ordersDeps](),
		},
		{
			webhooks.Module, []reflect.Type{reflect.TypeFor[webhooks.Service]()},
			func(c *rpc.Caller) any { return webhooks.NewClient(c) }, reflect.TypeFor[webhooksDeps](),
		},
	}
}

// Describe reads the modules that this program is made of.
func Describe() ([]Description, error) { return describe(blueprints()) }

func describe(plans []blueprint) ([]Description, error) {
	p := newProbe()
	defer p.layer.Close()
	var list []Description
	for _, b := range plans {
		d := Description{Name: b.name, Contract: contractVersion(b.contracts[0].PkgPath()), Calls: p.calls(b, plans)}
		for _, promise := range b.contracts {
			d.Operations = append(d.Operations, p.operations(b.client, promise)...)
		}
		slices.SortFunc(d.Operations, func(a, b Operation) int { return strings.Compare(a.Name, b.Name) })
		var err error
		if d.Tables, d.Migration, err = migrations.Tables(migrations.Of(b.name)); err != nil {
			return nil, fmt.Errorf("describe module %s: %w", b.name, err)
		}
		list = append(list, d)
	}
	return list, nil
}

func contractVersion(path string) string {
	if last := path[strings.LastIndexByte(path, '/')+1:]; regexp.MustCompile(`^v[0-9]+$`).MatchString(last) {
		return last
	}
	return "v1"
}

// probe calls clients on a layer where nobody listens, to learn which operation each of their methods asks for.
type probe struct {
	layer  channel.Layer
	caller *rpc.Caller
	heard  rpc.Observation
}

func newProbe() *probe {
	p := &probe{layer: channel.NewMemory(channel.Options{})}
	p.caller = rpc.NewCaller(p.layer, "probe", rpc.CallerOptions{Observe: func(o rpc.Observation) { p.heard = o }})
	return p
}

// operations returns what the methods of an interface ask for, by a client that implements it.
func (p *probe) operations(client func(*rpc.Caller) any, promise reflect.Type) []Operation {
	var list []Operation
	of := reflect.ValueOf(client(p.caller))
	for i := range promise.NumMethod() {
		method := of.MethodByName(promise.Method(i).Name)
		request := method.Type().In(1)
		method.Call([]reflect.Value{reflect.ValueOf(context.Background()), reflect.Zero(request)})
		o := Operation{Name: p.heard.Operation, Keyed: keyed(request, 0) || plain[p.heard.Operation] != "", Feed: feed(request)}
		if !errors.Is(p.heard.Err, channel.ErrNoReceiver) { // it did not come as far as the layer
			o.Err = cmp.Or(errors.Unwrap(p.heard.Err), p.heard.Err) // the fault is any internal one, its cause tells
		}
		list = append(list, o)
	}
	return list
}

// calls returns what a door asks for that the client of another module is.
func (p *probe) calls(of blueprint, plans []blueprint) []Call {
	var list []Call
	for i := range of.deps.NumField() {
		field := of.deps.Field(i).Type
		if field.Kind() != reflect.Interface || field.NumMethod() == 0 {
			continue
		}
		for _, b := range plans {
			if b.name == of.name || !reflect.TypeOf(b.client(p.caller)).Implements(field) {
				continue
			}
			c := Call{To: b.name}
			for _, o := range p.operations(b.client, field) {
				c.Operations = append(c.Operations, o.Name)
			}
			slices.Sort(c.Operations)
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b Call) int { return strings.Compare(a.To, b.To) })
	return list
}

// plain are operations whose request names nothing, and why they are safe to repeat nevertheless.
var plain = map[string]string{
	"payments.accounts":        "it asks, and for everything",
	"payments.receive_webhook": "the body carries the id of the provider's event",
	"payments.reconcile":       "it compares, and changes nothing but its own reports",
}

// key are the names of fields by which a repetition can be told, or that make a question of a request.
var key = regexp.MustCompile(`^(Key|IfVersion|Code|SKUs?|After|Before|Limit|.*IDs?)$`)

// keyed reports whether a request, or a line of it, has such a field. It looks no deeper than a sensible contract goes: a type may
// contain itself, which is another finding.
func keyed(t reflect.Type, depth int) bool {
	if depth > 8 {
		return false
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer, reflect.Array, reflect.Map:
		return keyed(t.Elem(), depth+1)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); key.MatchString(f.Name) || keyed(f.Type, depth+1) {
				return true
			}
		}
	}
	return false
}

// feedRequest is how contracts call the request of a feed.
var feedRequest = regexp.MustCompile(`^(Events|Changes)Request$`)

// feed recognises a request for what happened after a position.
func feed(t reflect.Type) bool {
	f, ok := t.FieldByName("After")
	return ok && f.Type.Kind() == reflect.Int64 && feedRequest.MatchString(t.Name())
}
