package rpc

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unsafe"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
)

// copier is how values of one type are made ready to be handed over: weighed, then detached.
type copier struct {
	strings []uintptr // in a flat type; see stringsIn
	weigh   weigh     // nil: the type is flat
	detach  detach    // nil: the type is flat
}

// copierOf returns the copier of a type, or an error if values of it can't cross a wire.
func copierOf(t reflect.Type) (copier, error) {
	d, err := detacher(t)
	switch {
	case err != nil:
		return copier{}, err
	case d == nil:
		return copier{strings: stringsIn(t, 0)}, nil
	}
	return copier{weigh: weigher(t), detach: d}, nil
}

// copyWith makes a value its receiver's own, in place, unless it is larger than modules may send.
func copyWith[T any](c *copier, v *T) *fault.Error {
	if c.detach == nil {
		if n := weighStrings(unsafe.Pointer(v), c.strings); n > channel.MaxBody {
			return tooLarge(n)
		}
		return nil
	}
	value := reflect.ValueOf(v).Elem()
	if c.weigh != nil {
		if n := c.weigh(value); n > channel.MaxBody {
			return tooLarge(n)
		}
	}
	c.detach(value)
	return nil
}

// detach replaces what an addressable value shares with the value that it was assigned from by copies.
type detach func(v reflect.Value)

var timeType = reflect.TypeFor[time.Time]()

// detacher returns how values of a type are detached, nil for a flat type, or an error if values of it can't cross a wire.
func detacher(t reflect.Type, within ...reflect.Type) (detach, error) {
	for _, outer := range within {
		if outer == t {
			return nil, fmt.Errorf("%v contains itself", t)
		}
	}
	within = append(within, t)
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return nil, nil
	case reflect.Struct:
		return structDetacher(t, within)
	case reflect.Array:
		element, err := detacher(t.Elem(), within...)
		if err != nil || element == nil {
			return nil, err
		}
		return func(v reflect.Value) { eachElement(v, element) }, nil
	case reflect.Slice:
		element, err := detacher(t.Elem(), within...)
		if err != nil {
			return nil, err
		}
		return func(v reflect.Value) {
			if v.IsNil() {
				return
			}
			c := reflect.MakeSlice(t, v.Len(), v.Len())
			reflect.Copy(c, v)
			v.Set(c)
			if element != nil {
				eachElement(v, element)
			}
		}, nil
	case reflect.Pointer:
		target, err := detacher(t.Elem(), within...)
		if err != nil {
			return nil, err
		}
		return func(v reflect.Value) {
			if v.IsNil() {
				return
			}
			c := reflect.New(t.Elem())
			c.Elem().Set(v.Elem())
			v.Set(c)
			if target != nil {
				target(c.Elem())
			}
		}, nil
	case reflect.Map:
		return mapDetacher(t, within)
	default:
		return nil, fmt.Errorf("%v can't cross a module boundary", t)
	}
}

func eachElement(v reflect.Value, element detach) {
	for i := range v.Len() {
		element(v.Index(i))
	}
}

func structDetacher(t reflect.Type, within []reflect.Type) (detach, error) {
	if t == timeType {
		return nil, nil // immutable
	}
	type field struct {
		index  int
		detach detach
	}
	if name := ambiguous(t); name != "" {
		return nil, fmt.Errorf("%v has two members %q, and both would be lost", t, name)
	}
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			return nil, fmt.Errorf("%v.%s is unexported and would be lost", t, f.Name)
		}
		if f.Tag.Get("json") == "-" {
			return nil, fmt.Errorf("%v.%s is not encoded and would be lost", t, f.Name)
		}
		d, err := detacher(f.Type, within...)
		if err != nil {
			return nil, fmt.Errorf("%v.%s: %w", t, f.Name, err)
		}
		if d != nil {
			fields = append(fields, field{i, d})
		}
	}
	if fields == nil {
		return nil, nil
	}
	return func(v reflect.Value) {
		for _, f := range fields {
			f.detach(v.Field(f.index))
		}
	}, nil
}

// ambiguous returns a name that encoding/json would give to two members of a struct, those of embedded structs included: it
// encodes neither, or hides one behind the other.
func ambiguous(t reflect.Type) string {
	seen := map[string]bool{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			continue // its members stand for it
		}
		if name == "" {
			name = f.Name
		}
		if len(f.Index) > 1 && !promoted(t, f.Index) {
			continue
		}
		if seen[name] {
			return name
		}
		seen[name] = true
	}
	return ""
}

// promoted reports whether the members of every struct on the way to a field stand for the struct.
func promoted(t reflect.Type, index []int) bool {
	for i := 1; i < len(index); i++ {
		if f := t.FieldByIndex(index[:i]); f.Tag.Get("json") != "" {
			return false
		}
	}
	return true
}

func mapDetacher(t reflect.Type, within []reflect.Type) (detach, error) {
	if t.Key().Kind() != reflect.String {
		return nil, fmt.Errorf("%v: the keys of a map are strings", t)
	}
	element, err := detacher(t.Elem(), within...)
	if err != nil {
		return nil, err
	}
	return func(v reflect.Value) {
		if v.IsNil() {
			return
		}
		c := reflect.MakeMapWithSize(t, v.Len())
		for iter := v.MapRange(); iter.Next(); {
			e := reflect.New(t.Elem()).Elem()
			e.Set(iter.Value())
			if element != nil {
				element(e)
			}
			c.SetMapIndex(iter.Key(), e)
		}
		v.Set(c)
	}, nil
}
