package rpc

import (
	"bytes"
	"encoding"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"sync"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
)

// codec is how values of one type are written as JSON and read, made once for the type. It writes the very bytes that encoding/json
// writes. It reads that one form alone: no white space, and members in the order of their fields. Any other text it leaves to
// encoding/json, above all that of a process whose type is newer or older. So both have one meaning, and this one costs a half to a
// fifth.
//
// A nil result of either function means that encoding/json shall do it, or say why it can't be done. Types with floats, bytes,
// arrays, embedded structs or a form of their own have no codec at all.
type codec struct {
	write func(to []byte, v reflect.Value) []byte   // v is addressable
	read  func(from []byte, v reflect.Value) []byte // v is addressable and zero, from may be nil; the result is what follows
}

// scratches are for what is being written: how long it will be is not known before.
var scratches = sync.Pool{New: func() any { return new(make([]byte, 0, 1024)) }}

// longestScratch bounds what is kept of one, in bytes.
const longestScratch = 64 << 10

// encode writes a value, unless it is larger than modules may send.
func encode[T any](c codec, v *T) (text []byte, err error) {
	if !c.none() {
		scratch := scratches.Get().(*[]byte)
		if b := c.write((*scratch)[:0], reflect.ValueOf(v).Elem()); b != nil {
			text = bytes.Clone(b)
			if cap(b) <= longestScratch {
				*scratch = b
			}
		}
		scratches.Put(scratch)
	}
	if text == nil {
		if text, err = json.Marshal(*v); err != nil {
			return nil, fault.ErrInternal.WithOutcome(fault.NotExecuted).Because(err)
		}
	}
	if len(text) > channel.MaxBody { // said here, so that an answer that is too large is one too
		return nil, tooLarge(len(text))
	}
	return text, nil
}

// decode reads a text into a value, which is zero.
func decode[T any](c codec, text []byte, v *T) error {
	if !c.none() {
		if rest := c.read(text, reflect.ValueOf(v).Elem()); rest != nil && len(rest) == 0 {
			return nil
		}
		var zero T
		*v = zero // without what was read so far
	}
	return json.Unmarshal(text, v)
}

// none reports whether there is no codec.
func (c codec) none() bool { return c.write == nil }

// codecOf returns the codec of a type, if there is one. The type does not contain itself.
func codecOf(t reflect.Type) codec {
	switch {
	case t == timeType:
		return codec{writeTime, readTime}
	case hasForm(t):
		return codec{}
	}
	switch t.Kind() {
	case reflect.Bool:
		return codec{writeBool, readBool}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return codec{writeInt, readInt}
	case reflect.String:
		return codec{writeString, readString}
	case reflect.Struct:
		return structCodec(t)
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return containerCodec(t)
	default:
		return codec{}
	}
}

// hasForm reports whether values of a type say themselves how they are written or read.
func hasForm(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		p.Implements(reflect.TypeFor[encoding.TextMarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// member is a field of a struct that crosses.
type member struct {
	codec
	index int
	name  string                   // as it stands in the text, with its colon
	omits func(reflect.Value) bool // nil: it always stands there
}

// plainName is what a name is that means nothing else to encoding/json and needs no escaping.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// memberOf describes a field, or returns false if it takes encoding/json to know what becomes of it.
func memberOf(f reflect.StructField) (member, bool) {
	name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "" {
		name = f.Name
	}
	m := member{codec: codecOf(f.Type), index: f.Index[0], name: `"` + name + `":`}
	switch option {
	case "":
	case "omitempty":
		m.omits = empty
	case "omitzero":
		m.omits = reflect.Value.IsZero
		if _, asks := reflect.PointerTo(f.Type).MethodByName("IsZero"); asks {
			return m, false
		}
	default:
		return m, false
	}
	return m, !m.none() && !f.Anonymous && plainName.MatchString(name)
}

// empty is what omitempty leaves out.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String, reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

func structCodec(t reflect.Type) codec {
	var members []member
	for f := range t.Fields() {
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		m, ok := memberOf(f)
		if !ok {
			return codec{}
		}
		members = append(members, m)
	}
	return codec{
		func(to []byte, v reflect.Value) []byte { return writeStruct(to, v, members) },
		func(from []byte, v reflect.Value) []byte { return readStruct(from, v, members) },
	}
}

func writeStruct(to []byte, v reflect.Value, members []member) []byte {
	mark := byte('{')
	for i := range members {
		m, field := &members[i], v.Field(members[i].index)
		if m.omits != nil && m.omits(field) {
			continue
		}
		to = append(append(to, mark), m.name...)
		if to = m.write(to, field); to == nil {
			return nil
		}
		mark = ','
	}
	if mark == '{' {
		to = append(to, mark)
	}
	return append(to, '}')
}

func readStruct(from []byte, v reflect.Value, members []member) []byte {
	mark := byte('{')
	for i := range members {
		m := &members[i]
		if len(from) == 0 || from[0] != mark {
			break
		}
		value := after(from[1:], m.name)
		if value == nil {
			continue
		}
		if from = m.read(value, v.Field(m.index)); from == nil {
			return nil
		}
		mark = ','
	}
	if mark == '{' {
		return after(from, "{}")
	}
	return after(from, "}")
}

// after returns what follows a beginning, or nil if it is another.
func after(from []byte, beginning string) []byte {
	if len(from) < len(beginning) || string(from[:len(beginning)]) != beginning {
		return nil
	}
	return from[len(beginning):]
}
