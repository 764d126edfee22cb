package fences

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/modules/webhooks"
)

// contractInterfaces are all that modules promise to each other.
func contractInterfaces() map[string]reflect.Type {
	return map[string]reflect.Type{
		"inventory.Service":    reflect.TypeFor[inventory.Service](),
		"orders.Aftersales":    reflect.TypeFor[orders.Aftersales](),
		"orders.Service":       reflect.TypeFor[orders.Service](),
		"payments.Service":     reflect.TypeFor[payments.Service](),
		"payments.TestGateway": reflect.TypeFor[payments.TestGateway](),
		"pricing.Service":      reflect.TypeFor[pricing.Service](),
		"webhooks.Service":     reflect.TypeFor[webhooks.Service](),
	}
}

func TestContracts(t *testing.T) {
	t.Run("all are tested here", func(t *testing.T) {
		tree, err := load(root)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, p := range tree.packages {
			if p.role == contract {
				for _, promise := range tree.promises(p) {
					want = append(want, p.owner+"."+promise.name)
				}
			}
		}
		slices.Sort(want)
		if have := slices.Sorted(maps.Keys(contractInterfaces())); !slices.Equal(have, want) {
			t.Errorf("contractInterfaces lists %v, the contracts define %v", have, want)
		}
	})
	all := contractInterfaces()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		promise := all[name]
		for i := range promise.NumMethod() {
			method := promise.Method(i)
			t.Run(name+"."+method.Name, func(t *testing.T) { testMethod(t, method.Type) })
		}
	}
}

// testMethod holds a method of a contract to one shape, and its values to what survives a wire.
func testMethod(t *testing.T, m reflect.Type) {
	if m.NumIn() != 2 || m.NumOut() != 2 || m.In(0) != reflect.TypeFor[context.Context]() || m.Out(1) != reflect.TypeFor[error]() {
		t.Fatalf("it is %v; a method takes a context and a request, and returns an answer and an error", m)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, message := range []reflect.Type{m.In(1), m.Out(0)} {
		if message.Kind() != reflect.Struct {
			t.Errorf("%v is no struct, and can't get a field later", message)
			continue
		}
		if err := crosses(message); err != nil {
			t.Errorf("%v; say it in plain values", err)
			continue
		}
		roundTrip(t, reflect.Zero(message))
		for range 20 {
			v := reflect.New(message).Elem()
			fill(random, v)
			roundTrip(t, v)
		}
	}
}

// crosses returns why values of a type can't be told to a stranger. It is stricter than it need be for JSON: what refers to
// something in this process, or to itself, has no business in a contract.
func crosses(t reflect.Type, within ...reflect.Type) error {
	if slices.Contains(within, t) {
		return fmt.Errorf("%v contains itself", t)
	}
	within = append(slices.Clone(within), t)
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.UnsafePointer, reflect.Uintptr, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("a %v (%v) can't cross a wire", t.Kind(), t)
	case reflect.Slice, reflect.Array, reflect.Pointer:
		return crosses(t.Elem(), within...)
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return fmt.Errorf("%v has keys that are no strings", t)
		}
		return crosses(t.Elem(), within...)
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return nil
		}
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() || f.Tag.Get("json") == "-" {
				return fmt.Errorf("%v.%s would be lost on a wire", t, f.Name)
			}
			if err := crosses(f.Type, within...); err != nil {
				return fmt.Errorf("%v.%s: %w", t, f.Name, err)
			}
		}
	}
	return nil
}

// roundTrip sends a value through its encoding, where nothing may be lost: two fields of one name, say.
func roundTrip(t *testing.T, v reflect.Value) {
	t.Helper()
	b, err := json.Marshal(v.Interface())
	if err != nil {
		t.Fatal(err)
	}
	back := reflect.New(v.Type())
	if err := json.Unmarshal(b, back.Interface()); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(v.Interface(), back.Elem().Interface()) {
		t.Errorf("sent %+v\ngot %+v\nas %s", v, back.Elem(), b)
	}
}

// fill makes a value in which nothing is zero or empty.
func fill(random *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(fmt.Sprintf("é%d\n", random.Int()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1 + random.Int64()>>(65-v.Type().Bits()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1 + random.Uint64()>>(65-v.Type().Bits()))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1 + float64(random.IntN(1000))/8)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+random.IntN(3), 3))
		for i := range v.Len() {
			fill(random, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(random, v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(random, v.Elem())
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 1 + random.IntN(3) {
			key, element := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(random, key)
			fill(random, element)
			v.SetMapIndex(key, element)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.UnixMicro(random.Int64N(4e15)).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(random, v.Field(i))
		}
	}
}
