package contracttest

import (
	"fmt"
	"hash/fnv"
	"reflect"
	"strings"
	"time"
)

// filled returns a value in which nothing is zero and hardly two things are equal. What stands in a field depends on its type and on
// where it is in the message, and on nothing else: a new field leaves the others as they are.
func filled(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	fill(v, "")
	return v
}

func fill(v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(path)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(number(path, min(v.Type().Bits(), 50)-1)))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(number(path, min(v.Type().Bits(), 50)))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(number(path, 20)) + 0.5)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillElements(v, path)
	case reflect.Array:
		fillElements(v, path)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), path)
	case reflect.Map:
		element := reflect.New(v.Type().Elem()).Elem()
		fill(element, join(path, "key"))
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), element)
	case reflect.Struct:
		fillStruct(v, path)
	default:
		panic(fmt.Sprintf("a %v can't cross a wire, and a contract's operation was defined with it", v.Type()))
	}
}

func fillElements(v reflect.Value, path string) {
	for i := range v.Len() {
		fill(v.Index(i), join(path, fmt.Sprint(i)))
	}
}

func fillStruct(v reflect.Value, path string) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		day := time.Date(2001, 2, 3, 4, 5, 6, 789_000_000, time.UTC)
		v.Set(reflect.ValueOf(day.Add(time.Duration(number(path, 20)) * time.Second)))
		return
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name != "":
			fill(v.Field(i), join(path, name))
		case f.Anonymous:
			fill(v.Field(i), path)
		default:
			fill(v.Field(i), join(path, f.Name))
		}
	}
}

// number returns a number of so many bits for a path: it does not fit into fewer.
func number(path string, bits int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(path))
	top := uint64(1) << (bits - 1)
	return top | h.Sum64()&(top-1)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
