package webhooksmod_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/modules/webhooks/webhooksmod"
	"cutpoint/platform/id"
	"cutpoint/platform/webhook"
)

// second starts one more instance on the file of a stage, and on its layer.
func (s *stage) second(t *testing.T, o webhooksmod.Options) *webhooksmod.Module {
	t.Helper()
	d := s.deps
	d.NewID = id.NewSource(time.Now, rand.Reader)
	m, err := webhooksmod.New(d, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

// TestInstances: two instances read the feed and deliver, each event once, those of an order in their sequence, and no more at once to
// one endpoint than one instance would. One of them is stopped on the way.
func TestInstances(t *testing.T) {
	const one, two = "https://one.example.com/", "https://two.example.com/"
	synctest.Test(t, func(t *testing.T) {
		got := newReceivers()
		var mu sync.Mutex
		dice := mathrand.New(mathrand.NewPCG(1, 2))
		underWay, most, failed := map[string]int{}, map[string]int{}, map[string]bool{}
		shares := [2]int{}
		post := func(instance int) webhooksmod.Post {
			return func(_ context.Context, q webhooksmod.Request) (webhooksmod.Answer, error) {
				mu.Lock()
				shares[instance]++
				underWay[q.URL]++
				most[q.URL] = max(most[q.URL], underWay[q.URL])
				wait, status := time.Duration(dice.IntN(300))*time.Millisecond, http.StatusOK
				if event := q.URL + string(q.Body); !failed[event] && dice.IntN(5) == 0 {
					failed[event], status = true, http.StatusServiceUnavailable
				}
				mu.Unlock()
				time.Sleep(wait)
				if status == http.StatusOK {
					got.take(q)
				}
				mu.Lock()
				defer mu.Unlock()
				underWay[q.URL]--
				return webhooksmod.Answer{StatusCode: status}, nil
			}
		}
		policy := webhooksmod.Policy{Concurrency: 5} // of each, so that one alone can't keep both endpoints busy
		s := newStage(t, webhooksmod.Options{Post: post(0), Policy: policy})
		other := s.second(t, webhooksmod.Options{Post: post(1), Policy: policy})
		for _, url := range []string{one, two} {
			s.endpoint(t, url)
		}
		for sequence := range int64(6) {
			for order := range 40 {
				s.happens(fmt.Sprintf("ord_%d", order), sequence+1)
			}
		}
		time.Sleep(5 * time.Second)
		if err := other.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		got.check(t, s.shop, one, two)
		if most[one] != 4 || most[two] != 4 {
			t.Errorf("under way at most: %v", most)
		}
		if shares[0] < 20 || shares[1] < 20 {
			t.Errorf("the shares are %v", shares)
		}
	})
}

// TestInstances_death: an attempt of an instance that died is made again by the other, with the same id, when its claim is over.
func TestInstances_death(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type sent struct {
			id string
			at time.Time
		}
		posted := make(chan sent, 10)
		var dead atomic.Bool
		post := func(_ context.Context, q webhooksmod.Request) (webhooksmod.Answer, error) {
			dead.Store(true) // between the attempt and its record
			posted <- sent{q.Header[webhook.HeaderID], time.Now()}
			return webhooksmod.Answer{StatusCode: http.StatusOK}, nil
		}
		s := newStage(t, webhooksmod.Options{Post: post, Fail: func(string) error {
			if dead.Load() {
				return errors.New("the process is gone")
			}
			return nil
		}})
		s.endpoint(t, "https://example.com/")
		s.happens("ord_1", 1)
		first := <-posted
		s.second(t, webhooksmod.Options{Post: post})
		second := <-posted
		if wait := second.at.Sub(first.at); second.id != first.id || wait < 30*time.Second || wait > 32*time.Second {
			t.Errorf("%v was sent again as %v", first, second)
		}
		time.Sleep(time.Hour)
		if len(posted) > 0 {
			t.Error("and once more")
		}
	})
}
