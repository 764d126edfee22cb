package load

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"cutpoint/cmd/internal/client"
)

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for name, test := range map[string]struct {
		of   []time.Duration
		p    int
		want time.Duration
	}{
		"of nothing":              {nil, 99, 0},
		"of one":                  {hundred[:1], 50, 1},
		"the middle of a hundred": {hundred, 50, 50},
		"the 99th of a hundred":   {hundred, 99, 99},
		"the last of ten":         {hundred[:10], 99, 10},
		"the middle of three":     {hundred[:3], 50, 2},
	} {
		t.Run(name, func(t *testing.T) {
			if got := percentile(test.of, test.p); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestRun(t *testing.T) {
	var placed atomic.Int64
	keys := make(chan string, 100)
	shop := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys <- r.Header.Get("Idempotency-Key")
		switch placed.Add(1) {
		case 1:
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"code": "inventory.out_of_stock"}`)
		case 2:
			w.WriteHeader(http.StatusAccepted)
		case 3:
			w.WriteHeader(http.StatusBadGateway)
		default:
			w.WriteHeader(http.StatusCreated)
		}
	})
	r := Run{Shop: client.Into(shop, "k"), SKUs: []string{"A", "B"}, Currency: "EUR", Concurrency: 4, Orders: 20, KeyPrefix: "p"}.Do(t.Context())
	if r.Orders != 17 || r.Failed() != 3 {
		t.Errorf("%d completed, %d failed, want 17 and 3", r.Orders, r.Failed())
	}
	for _, code := range []string{"inventory.out_of_stock", "in_progress", "not_a_shop"} {
		if r.Errors[code] != 1 {
			t.Errorf("%s: %d, want 1 of %v", code, r.Errors[code], r.Errors)
		}
	}
	if r.P50 <= 0 || r.P99 < r.P50 || r.PerSecond <= 0 {
		t.Errorf("figures: %+v", r)
	}
	close(keys)
	seen := map[string]bool{}
	for k := range keys {
		if seen[k] {
			t.Errorf("the key %s was used twice", k)
		}
		seen[k] = true
	}
}

func TestFsyncRate(t *testing.T) {
	if rate, err := FsyncRate(t.TempDir(), 10*time.Millisecond); err != nil || rate <= 0 {
		t.Errorf("got %v (%v)", rate, err)
	}
	if _, err := FsyncRate("/dev/null", time.Millisecond); err == nil {
		t.Error("no error for what is no directory")
	}
}

func TestRun_severalAddresses(t *testing.T) {
	var placed [3]atomic.Int64
	address := func(i int) *client.Client {
		return client.Into(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			placed[i].Add(1)
			w.WriteHeader(http.StatusCreated)
		}), "k")
	}
	r := Run{Shop: address(0), Others: []*client.Client{address(1), address(2)}, SKUs: []string{"A"}, Concurrency: 4, Orders: 30}.Do(t.Context())
	if r.Orders != 30 {
		t.Errorf("%d completed: %v", r.Orders, r.Errors)
	}
	for i := range placed {
		if n := placed[i].Load(); n != 10 {
			t.Errorf("%d orders at address %d, want a third of 30", n, i)
		}
	}
}
