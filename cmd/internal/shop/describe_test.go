package shop

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"cutpoint/modules/pricing"
	"cutpoint/platform/rpc"
)

func TestDescribe(t *testing.T) {
	modules, err := Describe()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	needed := map[string]bool{}
	for _, m := range modules {
		names = append(names, m.Name)
		if m.Contract != "v1" || len(m.Operations) == 0 || len(m.Tables) == 0 || m.Migration == "" {
			t.Errorf("%+v", m)
		}
		for _, o := range m.Operations {
			if o.Err != nil || !o.Keyed {
				t.Errorf("%+v", o)
			}
			needed[o.Name] = true
		}
	}
	if !slices.Equal(names, Modules()) {
		t.Errorf("describes %v", names)
	}
	for operation := range plain {
		if !needed[operation] {
			t.Errorf("%s is plain, and there is no such operation", operation)
		}
	}
	if got, want := modules[4].Calls, []Call{{"orders", []string{"orders.events"}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("webhooks calls %v, want %v", got, want)
	}
}

// The contract of a module that is not ready.
type (
	badService interface {
		Spend(context.Context, spendRequest) (spent, error)
		Watch(context.Context, watchRequest) (spent, error)
	}
	spendRequest struct{ Amount int64 }
	watchRequest struct {
		ID   string
		Tell func()
	}
	spent     struct{}
	badClient struct{ caller *rpc.Caller }
)

var (
	spend = rpc.Define[spendRequest, spent]("bad", "spend")
	watch = rpc.Define[watchRequest, spent]("bad", "watch")
)

func (c badClient) Spend(ctx context.Context, r spendRequest) (spent, error) {
	return spend.Call(ctx, c.caller, r)
}

func (c badClient) Watch(ctx context.Context, r watchRequest) (spent, error) {
	return watch.Call(ctx, c.caller, r)
}

func TestDescribeBad(t *testing.T) {
	modules, err := describe(append(blueprints()[1:2], blueprint{
		"auth", []reflect.Type{reflect.TypeFor[badService]()}, func(c *rpc.Caller) any { return badClient{c} },
		reflect.TypeFor[struct{ Prices pricing.Service }](),
	}))
	if err != nil {
		t.Fatal(err)
	}
	bad := modules[1]
	if len(bad.Operations) != 2 || len(bad.Calls) != 1 || bad.Calls[0].To != "pricing" || len(bad.Calls[0].Operations) != reflect.TypeFor[pricing.Service]().NumMethod() {
		t.Fatalf("%+v", bad)
	}
	if o := bad.Operations[0]; o.Name != "bad.spend" || o.Keyed || o.Err != nil {
		t.Errorf("%+v", o)
	}
	if o := bad.Operations[1]; o.Name != "bad.watch" || !o.Keyed || o.Err == nil {
		t.Errorf("%+v", o)
	}
}
