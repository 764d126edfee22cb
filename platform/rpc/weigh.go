package rpc

import (
	"reflect"
	"unsafe"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
)

// weigh returns what a value brings along: the bytes of its strings and keys, and how many elements its slices and maps have.
type weigh func(v reflect.Value) int

// weigher returns how values of a type are weighed, or nil if all of them weigh nothing. The type is one that detacher accepts.
func weigher(t reflect.Type) weigh {
	if t == timeType {
		return nil
	}
	switch t.Kind() {
	case reflect.String:
		return reflect.Value.Len
	case reflect.Struct:
		return structWeigher(t)
	case reflect.Array:
		element := weigher(t.Elem())
		if element == nil {
			return nil
		}
		return func(v reflect.Value) int { return weighElements(v, element) }
	case reflect.Slice:
		element := weigher(t.Elem())
		if element == nil {
			return reflect.Value.Len
		}
		return func(v reflect.Value) int { return v.Len() + weighElements(v, element) }
	case reflect.Pointer:
		target := weigher(t.Elem())
		if target == nil {
			return nil
		}
		return func(v reflect.Value) int {
			if v.IsNil() {
				return 0
			}
			return target(v.Elem())
		}
	case reflect.Map:
		return mapWeigher(t)
	default:
		return nil
	}
}

func weighElements(v reflect.Value, element weigh) (n int) {
	for i := range v.Len() {
		n += element(v.Index(i))
	}
	return n
}

func structWeigher(t reflect.Type) weigh {
	type field struct {
		index int
		weigh weigh
	}
	var fields []field
	for i := range t.NumField() {
		if w := weigher(t.Field(i).Type); w != nil {
			fields = append(fields, field{i, w})
		}
	}
	if fields == nil {
		return nil
	}
	return func(v reflect.Value) (n int) {
		for _, f := range fields {
			n += f.weigh(v.Field(f.index))
		}
		return n
	}
}

func mapWeigher(t reflect.Type) weigh {
	element := weigher(t.Elem())
	return func(v reflect.Value) int {
		n := v.Len()
		for iter := v.MapRange(); iter.Next(); {
			n += iter.Key().Len()
			if element != nil {
				n += element(iter.Value())
			}
		}
		return n
	}
}

// stringsIn returns where the strings of a flat type are: their offsets in a value of it. Adding up their lengths costs next to
// nothing, where reflection would cost a flat call some per cent.
func stringsIn(t reflect.Type, offset uintptr) (offsets []uintptr) {
	switch {
	case t == timeType:
	case t.Kind() == reflect.String:
		return []uintptr{offset}
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			offsets = append(offsets, stringsIn(t.Field(i).Type, offset+t.Field(i).Offset)...)
		}
	case t.Kind() == reflect.Array:
		for i := range uintptr(t.Len()) {
			offsets = append(offsets, stringsIn(t.Elem(), offset+i*t.Elem().Size())...)
		}
	}
	return offsets
}

// weighStrings adds up the lengths of the strings in a flat value, at the offsets that stringsIn found for its type.
func weighStrings(value unsafe.Pointer, offsets []uintptr) (n int) {
	for _, offset := range offsets {
		n += len(*(*string)(unsafe.Add(value, offset)))
	}
	return n
}

func tooLarge(n int) *fault.Error {
	return channel.ErrTooLarge.Saying("the message has %d bytes; modules may send %d", n, channel.MaxBody)
}
