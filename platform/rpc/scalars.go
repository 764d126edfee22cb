package rpc

import (
	"encoding/json"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// How a codec writes and reads what has no parts.

func writeBool(to []byte, v reflect.Value) []byte { return strconv.AppendBool(to, v.Bool()) }

func readBool(from []byte, v reflect.Value) []byte {
	if rest := after(from, "true"); rest != nil {
		v.SetBool(true)
		return rest
	}
	return after(from, "false")
}

func writeInt(to []byte, v reflect.Value) []byte { return strconv.AppendInt(to, v.Int(), 10) }

func readInt(from []byte, v reflect.Value) []byte {
	n := 0
	for n < len(from) && (from[n] == '-' || '0' <= from[n] && from[n] <= '9') {
		n++
	}
	if n > 1 && (from[0] == '0' || from[0] == '-' && from[1] == '0') {
		return nil // no number of JSON begins with a zero
	}
	i, err := strconv.ParseInt(string(from[:n]), 10, v.Type().Bits())
	if err != nil {
		return nil
	}
	v.SetInt(i)
	return from[n:]
}

// writeString leaves to encoding/json what is escaped, and what may have to be.
func writeString(to []byte, v reflect.Value) []byte {
	s := v.String()
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c >= utf8.RuneSelf {
			text, _ := json.Marshal(s) // a string always encodes
			return append(to, text...)
		}
	}
	return append(append(append(to, '"'), s...), '"')
}

func readString(from []byte, v reflect.Value) []byte {
	text, rest, plain := cutString(from)
	if text == nil {
		return nil
	}
	if plain {
		v.SetString(string(text[1 : len(text)-1]))
		return rest
	}
	var s string
	if json.Unmarshal(text, &s) != nil {
		return nil
	}
	v.SetString(s)
	return rest
}

// cutString cuts off a string with its quotes, nil if there is none. A plain one means what stands there.
func cutString(from []byte) (text, rest []byte, plain bool) {
	if after(from, `"`) == nil {
		return nil, nil, false
	}
	plain = true
	for i := 1; i < len(from); i++ {
		switch c := from[i]; {
		case c == '"':
			return from[:i+1], from[i+1:], plain
		case c == '\\':
			i++
			plain = false
		case c < ' ' || c >= utf8.RuneSelf:
			plain = false
		}
	}
	return nil, nil, false
}

func writeTime(to []byte, v reflect.Value) []byte {
	t := v.Addr().Interface().(*time.Time)
	to, err := t.AppendText(append(to, '"'))
	if err != nil {
		return nil
	}
	return append(to, '"')
}

func readTime(from []byte, v reflect.Value) []byte {
	text, rest, plain := cutString(from)
	if !plain || v.Addr().Interface().(*time.Time).UnmarshalJSON(text) != nil {
		return nil
	}
	return rest
}
