package checkout

import (
	"strings"
	"testing"
	"time"

	"cutpoint/migrations"
	"cutpoint/modules/orders"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

// TestSearch_plan asks the database how it finds a page: along an index that is already in the order of the list, so that it need
// neither read all orders nor sort what it finds.
func TestSearch_plan(t *testing.T) {
	storetest.SQLiteOnly(t, "it reads plans")
	s, err := store.Open(t.Context(), store.Options{Datastore: storetest.Datastore(t, "orders"), Migrations: migrations.Of(orders.Module)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	date := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		request orders.OrdersRequest
		walk    string
	}{
		"all":                    {orders.OrdersRequest{Before: "ord_x"}, "SEARCH o USING PRIMARY KEY (id<?)"},
		"status":                 {orders.OrdersRequest{Status: "review", Before: "ord_x"}, "SEARCH o USING INDEX orders_by_status (status=? AND id<?)"},
		"completed":              {orders.OrdersRequest{Status: "completed"}, "SEARCH o USING INDEX orders_by_status (status=?)"},
		"state":                  {orders.OrdersRequest{State: "charging"}, "SEARCH o USING INDEX orders_by_status (status=?)"},
		"to capture":             {orders.OrdersRequest{State: "awaiting_capture", Status: "completed"}, "SCAN s USING INDEX sagas_to_capture"},
		"fulfilment":             {orders.OrdersRequest{FulfilmentStatus: "fulfilled", Status: "completed", Before: "ord_x"}, "SEARCH o USING INDEX orders_by_fulfilment (fulfilment_status=? AND status=? AND id<?)"},
		"email":                  {orders.OrdersRequest{Customer: "a@b", Status: "completed", PlacedBy: "key"}, "SEARCH t USING PRIMARY KEY (term=?)"},
		"customer id":            {orders.OrdersRequest{Customer: "cus_1", FulfilmentStatus: "fulfilled"}, "SEARCH o USING INDEX orders_by_customer (customer_id=?)"},
		"key":                    {orders.OrdersRequest{PlacedBy: "key", Status: "completed"}, "SEARCH o USING INDEX orders_by_key (placed_by=?)"},
		"key and a rare status":  {orders.OrdersRequest{PlacedBy: "key", Status: "declined"}, "SEARCH o USING INDEX orders_by_status (status=?)"},
		"sku":                    {orders.OrdersRequest{SKU: "MUG-1", Status: "completed", Before: "ord_x"}, "SEARCH t USING PRIMARY KEY (term=? AND order_id<?)"},
		"coupon":                 {orders.OrdersRequest{Coupon: "TEN", FulfilmentStatus: "unfulfilled"}, "SEARCH t USING PRIMARY KEY (term=?)"},
		"metadata":               {orders.OrdersRequest{Metadata: "a=b", Customer: "a@b", PlacedBy: "key"}, "SEARCH t USING PRIMARY KEY (term=?)"},
		"words":                  {orders.OrdersRequest{Query: "ada a@b", SKU: "MUG-1"}, "SEARCH t USING PRIMARY KEY (term=?)"},
		"beginning of an id":     {orders.OrdersRequest{Query: "ord_01"}, "SEARCH o USING PRIMARY KEY (id>? AND id<?)"},
		"dates":                  {orders.OrdersRequest{CreatedFrom: date, CreatedTo: date}, "SEARCH o USING PRIMARY KEY (id>? AND id<?)"},
		"totals":                 {orders.OrdersRequest{CreatedFrom: date, Currency: "EUR", TotalMin: 1, TotalMax: 2}, "SEARCH o USING PRIMARY KEY (id>?)"},
		"totals of a customer":   {orders.OrdersRequest{CreatedFrom: date, Currency: "EUR", TotalMin: 1, Customer: "a@b"}, "SEARCH t USING PRIMARY KEY (term=? AND order_id>?)"},
		"dates and a word":       {orders.OrdersRequest{CreatedFrom: date, CreatedTo: date, Query: "ada"}, "SEARCH t USING PRIMARY KEY (term=? AND order_id>? AND order_id<?)"},
		"dates and to capture":   {orders.OrdersRequest{CreatedFrom: date, State: "awaiting_capture"}, "SEARCH s USING INDEX sagas_to_capture (order_id>?)"},
		"dates and a fulfilment": {orders.OrdersRequest{CreatedFrom: date, FulfilmentStatus: "fulfilled"}, "SEARCH o USING INDEX orders_by_fulfilment (fulfilment_status=? AND status=? AND id>?)"},
	} {
		t.Run(name, func(t *testing.T) {
			search, err := newSearch(test.request)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := s.Read(t.Context()).Raw("EXPLAIN QUERY PLAN "+search.query(), append(search.args, 50)...).Rows()
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var plan []string
			for rows.Next() {
				var id, parent, unused int
				var detail string
				if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
					t.Fatal(err)
				}
				plan = append(plan, detail)
			}
			if rows.Err() != nil || len(plan) < 2 || !strings.HasPrefix(plan[0], test.walk) && !strings.HasPrefix(plan[0], strings.Replace(test.walk, "INDEX", "COVERING INDEX", 1)) {
				t.Errorf("the plan is %q, want a walk of %s", plan, test.walk)
			}
			for _, step := range plan {
				if strings.Contains(step, "SCAN") && !strings.Contains(step, "sagas_to_capture") /* a partial index, from its end */ || strings.Contains(step, "TEMP B-TREE") {
					t.Errorf("the plan has a step %q", step)
				}
			}
		})
	}
}

// TestShare splits what was paid for a line: each unit's part is its fair share, rounded to one side or the other, and all add up.
func TestShare(t *testing.T) {
	for _, total := range []int64{0, 1, 99, 100, 2870, 1<<62 + 3} {
		for all := int64(1); all <= 7; all++ {
			sum := int64(0)
			for n := int64(1); n <= all; n++ {
				part := share(total, n, all) - share(total, n-1, all)
				if part < total/all || part > total/all+1 {
					t.Errorf("unit %d of %d for %d costs %d", n, all, total, part)
				}
				sum += part
			}
			if sum != total {
				t.Errorf("%d units for %d come to %d", all, total, sum)
			}
		}
	}
}
