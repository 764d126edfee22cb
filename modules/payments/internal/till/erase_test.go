package till

import (
	"errors"
	"testing"

	"cutpoint/modules/payments"
	"cutpoint/platform/fault"
)

func TestEraseReasons(t *testing.T) {
	f := newTill(t, succeed("ch_1"), succeed("re_1"))
	f.charge(t, nil)
	if _, err := f.Refund(t.Context(), payments.RefundRequest{OrderID: order.OrderID, RefundID: "ref_1", Amount: 1, Reason: "zebra is allergic"}); err != nil {
		t.Fatal(err)
	}
	before := f.stored(t)
	for _, tt := range []struct {
		orders []string
		want   int64
	}{{nil, 0}, {[]string{"another"}, 0}, {[]string{"another", order.OrderID}, 1}, {[]string{order.OrderID}, 0}} {
		commits := f.store.Stats().Commits
		erased, err := f.EraseReasons(t.Context(), payments.EraseReasonsRequest{OrderIDs: tt.orders})
		if err != nil || erased.Operations != tt.want || int64(f.store.Stats().Commits-commits) != tt.want {
			t.Errorf("%v: erased %+v (%v) with %d commits", tt.orders, erased, err, f.store.Stats().Commits-commits)
		}
	}
	var left int64
	if err := f.store.Read(t.Context()).Raw("SELECT COUNT(*) FROM operations WHERE reason <> ''").Row().Scan(&left); err != nil || left > 0 {
		t.Errorf("%d reasons are left (%v)", left, err)
	}
	if after := f.stored(t); after.Refunded != before.Refunded || after.Version != before.Version {
		t.Errorf("%+v, then %+v", before, after)
	}
	if _, err := f.EraseReasons(t.Context(), payments.EraseReasonsRequest{OrderIDs: make([]string, payments.MaxOrderIDs+1)}); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("too many: %v", err)
	}
}
