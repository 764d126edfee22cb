package rpc

import (
	"encoding/json"
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cutpoint/platform/fault"
)

type name string

// parcel has a field of every sort that the codec knows.
type parcel struct {
	ID      name              `json:"id"`
	Count   int64             `json:"count"`
	Small   int8              `json:"small"`
	Open    bool              `json:"open"`
	At      time.Time         `json:"at"`
	Until   *time.Time        `json:"until"`
	Within  time.Duration     `json:"within,omitempty"`
	Names   []name            `json:"names"`
	Parts   []part            `json:"parts,omitempty"`
	Rows    [][]*part         `json:"rows"`
	Notes   map[name]string   `json:"notes,omitempty"`
	ByPlace map[string][]part `json:"by_place"`
	Best    part              `json:"best,omitzero"`
	Worst   *part             `json:"worst,omitempty"`
	Unnamed string
	Empty   struct{} `json:"empty,omitempty"`
}

type part struct {
	SKU  string `json:"sku,omitempty"`
	Held bool   `json:"held,omitempty"`
	Left *int   `json:"left"`
}

var (
	texts = rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z <>&"\\]*`),
		rapid.SampledFrom([]string{"", "\u2028", "Ülm\x00", "\xff\xc0", "\x7f", "null", "\\u0041", "\U0001f600"}))
	counts = rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{0, -1, 10, math.MinInt64, math.MaxInt64}))
	times  = rapid.Custom(func(t *rapid.T) time.Time {
		zone := time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "zone"))
		return time.Unix(rapid.Int64Range(-1<<35, 1<<37).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).In(zone)
	})
	parts = rapid.Custom(func(t *rapid.T) part {
		return part{texts.Draw(t, "sku"), rapid.Bool().Draw(t, "held"), rapid.Ptr(rapid.Int(), true).Draw(t, "left")}
	})
	parcels = rapid.Custom(func(t *rapid.T) parcel {
		names := rapid.Map(texts, func(s string) name { return name(s) })
		return parcel{
			ID: names.Draw(t, "id"), Count: counts.Draw(t, "count"), Small: rapid.Int8().Draw(t, "small"), Open: rapid.Bool().Draw(t, "open"),
			At: times.Draw(t, "at"), Until: rapid.Ptr(times, true).Draw(t, "until"), Within: time.Duration(counts.Draw(t, "within")),
			Names: orNil(rapid.SliceOfN(names, 0, 3)).Draw(t, "names"), Parts: orNil(rapid.SliceOfN(parts, 0, 3)).Draw(t, "parts"),
			Rows:    orNil(rapid.SliceOfN(orNil(rapid.SliceOfN(rapid.Ptr(parts, true), 0, 2)), 0, 2)).Draw(t, "rows"),
			Notes:   orNil(rapid.MapOfN(names, texts, 0, 3)).Draw(t, "notes"),
			ByPlace: orNil(rapid.MapOfN(texts, rapid.SliceOfN(parts, 0, 2), 0, 2)).Draw(t, "by place"),
			Best:    parts.Draw(t, "best"), Worst: rapid.Ptr(parts, true).Draw(t, "worst"), Unnamed: texts.Draw(t, "unnamed"),
		}
	})
)

func orNil[T any](g *rapid.Generator[T]) *rapid.Generator[T] {
	var none T
	return rapid.OneOf(g, rapid.Just(none))
}

// TestCodec: the codec writes what encoding/json writes, and reads from it what encoding/json reads.
func TestCodec(t *testing.T) {
	c := codecOf(reflect.TypeFor[parcel]())
	rapid.Check(t, func(t *rapid.T) {
		p := parcels.Draw(t, "parcel")
		want, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var read, expected parcel
		if text := c.write(nil, reflect.ValueOf(&p).Elem()); string(text) != string(want) {
			t.Fatalf("written:\n%s\nencoding/json:\n%s", text, want)
		}
		if rest := c.read(want, reflect.ValueOf(&read).Elem()); rest == nil || len(rest) > 0 {
			t.Fatalf("%s was left to encoding/json", want)
		}
		if err := json.Unmarshal(want, &expected); err != nil || !reflect.DeepEqual(read, expected) {
			t.Fatalf("read:\n%+v\nencoding/json:\n%+v (%v)", read, expected, err)
		}
	})
}

// FuzzDecode: whatever text comes, it means what it means to encoding/json.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		`{}`, `null`, ``, `{"id":"a","count":12}`, ` {"id": "a"}`, `{"count":1,"id":"a"}`, `{"id":"a","id":"b"}`, `{"ID":"a"}`, `{"id":"a","new":[1,{}]}`,
		`{"count":01}`, `{"count":-01}`, `{"count":-0}`, `{"count":1.0}`, `{"count":1e2}`, `{"count":9223372036854775808}`, `{"small":128}`, `{"count":"1"}`,
		`{"count":-}`, `{"count":1-2}`, `{"open":tru}`, `{"open":null}`, `{"names":]}`, `{"names":[}`, `{"names":["a"}`, `{"names":x"a"]}`, `{"names":`, `{"names":["a",]}`, `{"names":[null]}`,
		`{"parts":[{"sku":"a","left":1},{}]}`, `{"notes":{"a":"1","a":"2"}}`, `{"notes":}}`, `{"notes":{"a"}}`, `{"notes":{"a":"1"`, `{"by_place":{"a":[]}`, `{"notes":x"a":"1"}}`, `{"id":"\ud800"}`, `{"id":"\u00e9\n"}`,
		"{\"id\":\"\xff\"}", "{\"id\":\"a\nb\"}", `{"id":"a"}}`, `{"id":"a"`, `{,"id":"a"}`, `{"id":"a",}`, `{"at":"2026-11-24T10:00:00Z"}`,
		`{"at":"2026-11-24T10:00:00\u005a"}`, `{"at":"yesterday"}`, `{"at":null,"until":null}`, `{"empty":{}}`, `{"best":{"left":3},"worst":{"left":null}}`,
	} {
		f.Add([]byte(text))
	}
	c := codecOf(reflect.TypeFor[parcel]())
	f.Fuzz(func(t *testing.T, text []byte) {
		var read, expected parcel
		err, expectedErr := decode(c, text, &read), json.Unmarshal(text, &expected)
		if (err == nil) != (expectedErr == nil) || !reflect.DeepEqual(read, expected) {
			t.Errorf("%q is read as\n%+v (%v)\nby encoding/json as\n%+v (%v)", text, read, err, expected, expectedErr)
		}
	})
}

type embedding struct {
	part
	ID string `json:"id"`
}

// asks says itself what it leaves out.
type asks struct {
	N int `json:"n"`
}

func (a asks) IsZero() bool { return a.N == 7 }

// TestCodecOf: what the codec does not know it leaves alone, wherever it stands.
func TestCodecOf(t *testing.T) {
	if codecOf(reflect.TypeFor[envelope[parcel]]()).none() {
		t.Error("an answer has none")
	}
	for _, unknown := range []any{
		0.5, uint8(1), []byte("a"), [2]int{}, json.RawMessage("1"), netip.Addr{}, []float64{1}, map[string][]byte{}, embedding{},
		struct {
			N int `json:"n,string"`
		}{},
		struct {
			N int `json:"strange name"`
		}{},
		struct {
			N int `json:"n&m"`
		}{},
		struct {
			N int `json:"-"`
		}{},
		struct {
			A asks `json:"a,omitzero"`
		}{},
		struct {
			N []int `json:"n,omitempty,omitzero"`
		}{},
		map[netip.Addr]int{},
	} {
		if !codecOf(reflect.TypeOf(unknown)).none() {
			t.Errorf("%T has a codec", unknown)
		}
	}
}

// TestEncode: a value that has no JSON is refused as it always was, and the next one is written all the same.
func TestEncode(t *testing.T) {
	c := codecOf(reflect.TypeFor[[]time.Time]())
	if _, err := encode(c, &[]time.Time{time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}); fault.From(err).Outcome != fault.NotExecuted {
		t.Errorf("a year of five digits: %v", err)
	}
	if text, err := encode(c, &[]time.Time{{}}); err != nil || string(text) != `["0001-01-01T00:00:00Z"]` {
		t.Errorf("%s, %v", text, err)
	}
}
