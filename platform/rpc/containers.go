package rpc

import (
	"reflect"
	"slices"
	"strings"
)

// How a codec writes and reads what may be nil, by what is in it.

func containerCodec(t reflect.Type) codec {
	within := codecOf(t.Elem())
	if within.none() || t.Kind() == reflect.Map && hasForm(t.Key()) {
		return codec{}
	}
	write, read := writePointer, readPointer
	switch t.Kind() {
	case reflect.Slice:
		write, read = writeSlice, readSlice
	case reflect.Map:
		write, read = writeMap, readMap
	}
	return codec{
		func(to []byte, v reflect.Value) []byte {
			if v.IsNil() {
				return append(to, "null"...)
			}
			return write(to, v, within)
		},
		func(from []byte, v reflect.Value) []byte {
			if rest := after(from, "null"); rest != nil {
				return rest
			}
			return read(from, v, within)
		},
	}
}

func writePointer(to []byte, v reflect.Value, target codec) []byte { return target.write(to, v.Elem()) }

func readPointer(from []byte, v reflect.Value, target codec) []byte {
	v.Set(reflect.New(v.Type().Elem()))
	return target.read(from, v.Elem())
}

func writeSlice(to []byte, v reflect.Value, element codec) []byte {
	to = append(to, '[')
	for i := range v.Len() {
		if i > 0 {
			to = append(to, ',')
		}
		if to = element.write(to, v.Index(i)); to == nil {
			return nil
		}
	}
	return append(to, ']')
}

func readSlice(from []byte, v reflect.Value, element codec) []byte {
	if rest := after(from, "[]"); rest != nil {
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		return rest
	}
	from = after(from, "[")
	for i := 0; ; i++ {
		v.Grow(1)
		v.SetLen(i + 1)
		from = element.read(from, v.Index(i))
		next := after(from, ",")
		if next == nil {
			return after(from, "]")
		}
		from = next
	}
}

func writeMap(to []byte, v reflect.Value, element codec) []byte {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	to = append(to, '{')
	value := reflect.New(v.Type().Elem()).Elem()
	for i, key := range keys {
		if i > 0 {
			to = append(to, ',')
		}
		value.Set(v.MapIndex(key))
		if to = element.write(append(writeString(to, key), ':'), value); to == nil {
			return nil
		}
	}
	return append(to, '}')
}

func readMap(from []byte, v reflect.Value, element codec) []byte {
	v.Set(reflect.MakeMap(v.Type()))
	if rest := after(from, "{}"); rest != nil {
		return rest
	}
	from = after(from, "{")
	for {
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		from = element.read(after(readString(from, key), ":"), value)
		v.SetMapIndex(key, value)
		next := after(from, ",")
		if next == nil {
			return after(from, "}")
		}
		from = next
	}
}
