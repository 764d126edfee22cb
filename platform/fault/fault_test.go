package fault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"cutpoint/platform/fault"
)

var errSoldOut = fault.New(fault.Conflict, "stock.sold_out", "sold out")

func TestImmutable(t *testing.T) {
	before := *errSoldOut
	one := errSoldOut.At("/a", "x", "one")
	two, three := one.At("/b", "x", "two"), one.At("/c", "x", "three")
	_ = errSoldOut.Saying("no %s", "mugs").About("ord_1").WithOutcome(fault.Executed).WithRetryAfter(time.Second).Because(errors.New("cause"))
	if !reflect.DeepEqual(*errSoldOut, before) {
		t.Errorf("the sentinel was changed: %+v", errSoldOut)
	}
	if len(one.Details) != 1 || two.Details[1].Pointer != "/b" || three.Details[1].Pointer != "/c" {
		t.Errorf("details are shared: %v %v %v", one.Details, two.Details, three.Details)
	}
	p := two.Portable()
	p.Details[0].Pointer = "changed"
	if two.Details[0].Pointer != "/a" {
		t.Error("a portable fault shares its details")
	}
}

func TestIs(t *testing.T) {
	crossed := &fault.Error{}
	text, err := json.Marshal(errSoldOut.Saying("no mugs").At("/lines/0", "short", "1").WithOutcome(fault.Executed).WithRetryAfter(time.Second).Because(errors.New("secret")))
	if err != nil || strings.Contains(string(text), "secret") {
		t.Fatalf("%s %v", text, err)
	}
	if err := json.Unmarshal(text, crossed); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(fmt.Errorf("reserve: %w", crossed), errSoldOut) || errors.Is(crossed, fault.ErrInternal) || errors.Is(crossed, context.Canceled) {
		t.Errorf("%v is not what it was", crossed)
	}
	if crossed.Outcome != fault.Executed || crossed.RetryAfter != time.Second || crossed.Details[0].Pointer != "/lines/0" || crossed.Kind != fault.Conflict {
		t.Errorf("%+v lost something", crossed)
	}
}

func TestFrom(t *testing.T) {
	plain := errors.New("disk")
	tests := map[string]struct {
		err  error
		want *fault.Error
	}{
		"a fault":    {errSoldOut, errSoldOut},
		"wrapped":    {fmt.Errorf("reserve: %w", errSoldOut), errSoldOut},
		"joined":     {errors.Join(plain, errSoldOut), errSoldOut},
		"deadline":   {fmt.Errorf("x: %w", context.DeadlineExceeded), fault.ErrTimeout},
		"cancelled":  {context.Canceled, fault.ErrTimeout},
		"anything":   {plain, fault.ErrInternal},
		"because of": {errSoldOut.Because(context.Canceled), errSoldOut},
	}
	for name, test := range tests {
		if got := fault.From(test.err); got.Code != test.want.Code || got.Kind != test.want.Kind {
			t.Errorf("%s: %v", name, got)
		}
	}
	if fault.From(nil) != nil {
		t.Error("a fault from nothing")
	}
	if got := fault.From(plain); !errors.Is(got, plain) || !strings.Contains(got.Error(), "disk") || errors.Is(got.Portable(), plain) {
		t.Errorf("the cause is for the log: %v", got)
	}
}
