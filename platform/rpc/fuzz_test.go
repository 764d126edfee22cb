package rpc_test

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"

	"cutpoint/platform/channel"
	"cutpoint/platform/rpc"
)

// FuzzCodec: whatever value an order has, both ends of a call see the same one, copied or encoded.
func FuzzCodec(f *testing.F) {
	seed, err := json.Marshal(anOrder())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"lines": [], "labels": {"": "\u0000"}, "groups": [[{"sku": "\ud800"}], null]}`))
	echoes := map[string]fixture{}
	for name, o := range map[string]channel.Options{"copied": {}, "encoded": {Strict: true}} {
		echoes[name] = serve(f, o, rpc.ServerOptions{Workers: 1}, func(s *rpc.Server) {
			rpc.Handle(s, echo, func(_ context.Context, o order) (order, error) { return o, nil })
		})
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var sent order
		if json.Unmarshal(text, &sent) != nil {
			return
		}
		for name, e := range echoes {
			if got, err := echo.Call(t.Context(), e.Caller, sent); err != nil || !reflect.DeepEqual(got, sent) {
				t.Errorf("%s: %+v came back as %+v (%v)", name, sent, got, err)
			}
		}
	})
}
