package fences

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/modules/webhooks"
	"cutpoint/platform/channel"
	"cutpoint/platform/rpc"
)

// TestMessages: what crosses a boundary is what encoding/json would write, and means what it would read, in every contract and
// whatever is in it. rpc has codecs of its own, which must not be seen by a process that has none.
func TestMessages(t *testing.T) {
	for module, relay := range map[string]func(*rpc.Server, *rpc.Caller) (client func(*rpc.Caller) any){
		inventory.Module: func(s *rpc.Server, c *rpc.Caller) func(*rpc.Caller) any {
			inventory.Serve(s, inventory.NewClient(c))
			return func(c *rpc.Caller) any { return inventory.NewClient(c) }
		},
		orders.Module: func(s *rpc.Server, c *rpc.Caller) func(*rpc.Caller) any {
			orders.Serve(s, orders.NewClient(c))
			return func(c *rpc.Caller) any { return orders.NewClient(c) }
		},
		payments.Module: func(s *rpc.Server, c *rpc.Caller) func(*rpc.Caller) any {
			payments.Serve(s, payments.NewClient(c))
			payments.ServeTestGateway(s, payments.NewClient(c))
			return func(c *rpc.Caller) any { return payments.NewClient(c) }
		},
		pricing.Module: func(s *rpc.Server, c *rpc.Caller) func(*rpc.Caller) any {
			pricing.Serve(s, pricing.NewClient(c))
			return func(c *rpc.Caller) any { return pricing.NewClient(c) }
		},
		webhooks.Module: func(s *rpc.Server, c *rpc.Caller) func(*rpc.Caller) any {
			webhooks.Serve(s, webhooks.NewClient(c))
			return func(c *rpc.Caller) any { return webhooks.NewClient(c) }
		},
	} {
		t.Run(module, func(t *testing.T) {
			// A caller asks a server, whose body asks on: so each message is written, read and written again.
			near := &wire{Memory: channel.NewMemory(channel.Options{Strict: true})}
			far := &wire{Memory: channel.NewMemory(channel.Options{Strict: true}), answers: true}
			defer near.Close()
			defer far.Close()
			server := rpc.NewServer(near, module, rpc.ServerOptions{Workers: 1})
			client := reflect.ValueOf(relay(server, rpc.NewCaller(far, module, rpc.CallerOptions{}))(rpc.NewCaller(near, "test", rpc.CallerOptions{})))
			if err := server.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i := range client.NumMethod() {
				for seed := range uint64(50) {
					pass(t, client.Type().Method(i).Name, client.Method(i), near, far, rand.New(rand.NewPCG(seed, 0)))
				}
			}
		})
	}
}

// pass calls a method of a contract, and compares what passed.
func pass(t *testing.T, name string, method reflect.Value, near, far *wire, random *rand.Rand) {
	t.Helper()
	request, response := anyOf(method.Type().In(1), random), anyOf(method.Type().Out(0), random)
	answer := func(v reflect.Value) string { return `{"value":` + written(t, v) + `}` }
	far.answer = []byte(answer(response))
	results := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), request})
	if err, _ := results[1].Interface().(error); err != nil {
		t.Fatalf("%s(%+v): %v", name, request, err)
	}
	for _, c := range []struct{ what, got, want string }{
		{"request", string(near.question), written(t, request)},
		{"request, passed on", string(far.question), written(t, read(t, request))},
		{"response, passed on", string(near.answer), answer(read(t, response))},
	} {
		if c.got != c.want {
			t.Errorf("%s, %s:\n%s\nencoding/json:\n%s", name, c.what, c.got, c.want)
		}
	}
	if want := read(t, read(t, response)); !reflect.DeepEqual(results[0].Interface(), want.Interface()) {
		t.Errorf("%s, response as the caller sees it:\n%+v\nencoding/json:\n%+v", name, results[0], want)
	}
}

// written is a value as encoding/json writes it.
func written(t *testing.T, v reflect.Value) string {
	t.Helper()
	text, err := json.Marshal(v.Interface())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// read is a value as encoding/json reads it when it has written it.
func read(t *testing.T, v reflect.Value) reflect.Value {
	t.Helper()
	r := reflect.New(v.Type())
	if err := json.Unmarshal([]byte(written(t, v)), r.Interface()); err != nil {
		t.Fatal(err)
	}
	return r.Elem()
}

// wire is a layer that remembers what passed last, or one that answers itself.
type wire struct {
	*channel.Memory
	answers          bool
	question, answer []byte
}

func (w *wire) Send(to string, m channel.Message) error {
	w.question = m.Body.([]byte)
	if w.answers {
		w.Memory.Reply(m.Header.ReplyTo, w.answer)
		return nil
	}
	return w.Memory.Send(to, m)
}

func (w *wire) Reply(to channel.ReplyTo, body any) {
	w.answer = body.([]byte)
	w.Memory.Reply(to, body)
}

// anyOf returns some value of a type.
func anyOf(t reflect.Type, random *rand.Rand) reflect.Value {
	v := reflect.New(t).Elem()
	if t == reflect.TypeFor[time.Time]() {
		zone := time.FixedZone("", 900*(random.IntN(97)-48))
		v.Set(reflect.ValueOf(time.Unix(random.Int64N(1<<37)-1<<35, random.Int64N(3)*random.Int64N(1e9)).In(zone)))
		return v
	}
	size := random.IntN(4) // 0: nothing
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			v.Field(i).Set(anyOf(t.Field(i).Type, random))
		}
	case reflect.Pointer:
		if size > 0 {
			v.Set(reflect.New(t.Elem()))
			v.Elem().Set(anyOf(t.Elem(), random))
		}
	case reflect.Slice:
		if size > 0 {
			v.Set(reflect.MakeSlice(t, size-1, size-1))
		}
		for i := range v.Len() {
			v.Index(i).Set(anyOf(t.Elem(), random))
		}
	case reflect.Map:
		if size > 0 {
			v.Set(reflect.MakeMap(t))
		}
		for range size - 1 {
			v.SetMapIndex(anyOf(t.Key(), random), anyOf(t.Elem(), random))
		}
	default:
		setScalar(v, size, random)
	}
	return v
}

// setScalar gives a value without parts one of the values that are hard to write or to read, or another.
func setScalar(v reflect.Value, size int, random *rand.Rand) {
	texts := []string{"", "ord_1", "MUG-1", "a<b", "b>a", "a&b", `"a"`, `C:\dir`, "Zoë Müller", "\u2028\x00\x7f", "\xff", "\U0001f600", "null"}
	switch {
	case v.Kind() == reflect.String:
		v.SetString(texts[random.IntN(len(texts))])
	case v.Kind() == reflect.Bool:
		v.SetBool(size > 1)
	case v.CanInt():
		v.SetInt(int64(random.Uint64()) >> (random.IntN(4) * 21)) // too large for a small type: the rest is cut off
	case v.CanUint():
		v.SetUint(random.Uint64())
	case v.CanFloat():
		v.SetFloat(random.NormFloat64())
	}
}
